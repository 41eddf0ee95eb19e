//! Tiles with rows and columns exchanged.

/// Side of a block that is turned at once.
pub(crate) const SIDE: usize = 16;

type Block = [[i32; SIDE]; SIDE];

/// Writes the transpose of `tile` `[rows, columns]` into `out`, whose rows lie `stride` apart; rows and
/// columns are multiples of [`SIDE`].
pub(crate) fn transpose(tile: &[i32], columns: usize, out: &mut [i32], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V4::try_new() {
        let turn = avx512::Turn { simd };
        return simd.vectorize(|| by_blocks(tile, columns, out, stride, |block| turn.turn(block)));
    }
    by_blocks(tile, columns, out, stride, turned);
}

#[inline(always)]
fn by_blocks(
    tile: &[i32],
    columns: usize,
    out: &mut [i32],
    stride: usize,
    turn: impl Fn(&Block) -> Block,
) {
    let rows = tile.len() / columns.max(1);
    for column in (0..columns).step_by(SIDE) {
        for row in (0..rows).step_by(SIDE) {
            let mut block = [[0; SIDE]; SIDE];
            for (i, line) in block.iter_mut().enumerate() {
                let start = (row + i) * columns + column;
                line.copy_from_slice(&tile[start..start + SIDE]);
            }
            for (j, line) in turn(&block).iter().enumerate() {
                let start = (column + j) * stride + row;
                out[start..start + SIDE].copy_from_slice(line);
            }
        }
    }
}

fn turned(block: &Block) -> Block {
    let mut out = [[0; SIDE]; SIDE];
    for (i, line) in block.iter().enumerate() {
        for (j, value) in line.iter().enumerate() {
            out[j][i] = *value;
        }
    }
    out
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use pulp::cast;
    use pulp::x86::V4;

    use super::{Block, SIDE};

    #[derive(Clone, Copy)]
    pub(super) struct Turn {
        pub(super) simd: V4,
    }

    impl Turn {
        /// Four perfect shuffles of sixteen rows: each makes rows 2i and 2i + 1 of the values of rows
        /// i and i + 8 in turn.
        #[inline(always)]
        pub(super) fn turn(self, block: &Block) -> Block {
            const FIRST: [i32; SIDE] = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
            const SECOND: [i32; SIDE] =
                [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31];
            let simd = self.simd.avx512f;
            let mut rows = [cast([0i32; SIDE]); SIDE];
            for (row, line) in rows.iter_mut().zip(block) {
                *row = cast(*line);
            }
            for _ in 0..4 {
                let before = rows;
                for i in 0..SIDE / 2 {
                    let (a, b) = (before[i], before[i + SIDE / 2]);
                    rows[2 * i] = simd._mm512_permutex2var_epi32(a, cast(FIRST), b);
                    rows[2 * i + 1] = simd._mm512_permutex2var_epi32(a, cast(SECOND), b);
                }
            }
            let mut out = [[0; SIDE]; SIDE];
            for (line, row) in out.iter_mut().zip(rows) {
                *line = cast(row);
            }
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_turned_on_any_machine() {
        let block: Block = std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as i32));
        let expected: Block = std::array::from_fn(|j| std::array::from_fn(|i| (16 * i + j) as i32));
        assert_eq!(turned(&block), expected);
    }

    #[test]
    fn rows_become_columns() {
        for (rows, columns, stride) in [(16, 16, 16), (32, 64, 48), (64, 16, 64), (0, 16, 16)] {
            let tile: Vec<i32> = (0..(rows * columns) as i32).collect();
            let mut out = vec![-1; columns * stride];
            transpose(&tile, columns, &mut out, stride);
            for j in 0..columns {
                for i in 0..stride {
                    let expected = if i < rows { tile[i * columns + j] } else { -1 };
                    assert_eq!(out[j * stride + i], expected);
                }
            }
        }
    }
}
