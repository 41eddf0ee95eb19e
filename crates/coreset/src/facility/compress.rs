//! The few distances of a tile that matter, packed.

use pulp::{Arch, Simd, WithSimd};

use super::cloud::PANEL;

/// Values taken at a time.
const LANES: usize = 16;
/// Memory behind the last entry that is written, too.
const BEHIND: usize = LANES + 1;

/// Which distances of a column are kept: those from a floor on and below a limit.
#[derive(Default)]
pub(crate) struct Window {
    floors: Vec<i32>,
    /// Limit less floor.
    spans: Vec<u32>,
    /// The place of the column's point in its panel.
    places: Vec<u32>,
}

impl Window {
    /// A window for the points of a panel, of which distances below `limits` are kept.
    pub(crate) fn below(&mut self, limits: &[i32]) {
        self.clear();
        for (place, limit) in limits.iter().enumerate() {
            self.push(place, 0, *limit);
        }
    }

    /// A window for no column; memory is kept.
    pub(crate) fn clear(&mut self) {
        self.floors.clear();
        self.spans.clear();
        self.places.clear();
    }

    /// Adds a column: of the point at `place` of its panel, distances in `floor..limit`.
    pub(crate) fn push(&mut self, place: usize, floor: i32, limit: i32) {
        self.floors.push(floor);
        self.spans.push((limit - floor).max(0) as u32);
        self.places.push(place as u32);
    }

    /// Fills up with columns of which nothing is kept.
    pub(crate) fn fill_up(&mut self, width: usize) {
        self.floors.resize(width, 0);
        self.spans.resize(width, 0);
        self.places.resize(width, 0);
    }
}

/// A distance and the place of its point: 24 and 8 bits.
#[inline(always)]
pub(crate) fn unpack(entry: u32) -> (usize, i32) {
    (usize::from(entry as u8), (entry >> 8) as i32)
}

/// Distances of a tile that are kept, row after row.
pub(crate) struct Packed {
    /// Where the distances of each row of the tile start.
    pub(crate) starts: [u16; PANEL],
    /// Packed distances; meaningful up to `len`.
    entries: Vec<u32>,
    len: usize,
}

impl Default for Packed {
    fn default() -> Self {
        Self {
            starts: [0; PANEL],
            entries: vec![0; PANEL * PANEL + BEHIND],
            len: 0,
        }
    }
}

impl Packed {
    /// What is kept.
    pub(crate) fn entries(&self) -> &[u32] {
        &self.entries[..self.len]
    }

    /// Keeps of `steps` `[rows, columns]`, whose columns are a multiple of 16, what `window` lets
    /// through; at most [`PANEL`] rows and columns.
    pub(crate) fn keep(&mut self, steps: &[i32], window: &Window) {
        let keep = Keep {
            steps,
            window,
            starts: &mut self.starts,
            entries: &mut self.entries,
        };
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V4::try_new() {
            self.len = simd.vectorize(avx512::Compress { simd, keep });
            return;
        }
        self.len = Arch::new().dispatch(keep);
    }

    /// Drops from lists those distances that are not below `nearest` of their points: the lists of row
    /// i are `entries` from `starts[i]` on. Adds to `gains` what is left below; returns the number of
    /// entries that are left, in their old order.
    pub(crate) fn thin(
        &mut self,
        entries: &mut [u32],
        starts: &mut [u16; PANEL],
        nearest: &[i32; PANEL],
        gains: &mut [i64],
    ) -> usize {
        let thin = Thin {
            entries,
            starts,
            nearest,
            gains,
            kept: &mut self.entries,
        };
        let count = thin.run();
        entries[..count].copy_from_slice(&self.entries[..count]);
        count
    }
}

struct Thin<'a> {
    entries: &'a [u32],
    starts: &'a mut [u16; PANEL],
    nearest: &'a [i32; PANEL],
    gains: &'a mut [i64],
    kept: &'a mut [u32],
}

impl Thin<'_> {
    fn run(self) -> usize {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V4::try_new() {
            return simd.vectorize(avx512::Lookup { simd, thin: self });
        }
        Arch::new().dispatch(self)
    }
}

impl WithSimd for Thin<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let mut count = 0;
        for (place, gain) in self.gains.iter_mut().enumerate().take(PANEL) {
            let start = usize::from(self.starts[place]);
            let end = self.starts.get(place + 1);
            let end = end.map_or(self.entries.len(), |end| usize::from(*end));
            self.starts[place] = count as u16;
            // A list has an entry for each point of a panel at most.
            let mut sum = 0u32;
            for entry in &self.entries[start..end] {
                let (place, steps) = unpack(*entry);
                let brought = self.nearest[place] - steps;
                self.kept[count] = *entry;
                sum += brought.max(0) as u32;
                count += usize::from(brought > 0);
            }
            *gain += i64::from(sum);
        }
        count
    }
}

struct Keep<'a> {
    steps: &'a [i32],
    window: &'a Window,
    starts: &'a mut [u16; PANEL],
    entries: &'a mut [u32],
}

impl WithSimd for Keep<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let window = self.window;
        let mut count = 0;
        let mut rows = self.steps.chunks_exact(window.spans.len().max(1));
        for start in self.starts.iter_mut() {
            *start = count as u16;
            let Some(row) = rows.next() else { continue };
            let (row, _) = row.as_chunks::<LANES>();
            let (floors, _) = window.floors.as_chunks::<LANES>();
            let (spans, _) = window.spans.as_chunks::<LANES>();
            let (places, _) = window.places.as_chunks::<LANES>();
            let columns = floors.iter().zip(spans).zip(places);
            for (steps, ((floors, spans), places)) in row.iter().zip(columns) {
                let inside = |lane: usize| ((steps[lane] - floors[lane]) as u32) < spans[lane];
                let mut any = false;
                for lane in 0..LANES {
                    any |= inside(lane);
                }
                if !any {
                    continue;
                }
                let Some(target) = self.entries[count..].first_chunk_mut::<BEHIND>() else {
                    continue;
                };
                let mut kept = 0;
                for lane in 0..LANES {
                    target[kept] = (steps[lane] as u32) << 8 | places[lane];
                    kept += usize::from(inside(lane));
                }
                count += kept;
            }
        }
        count
    }
}

/// The same in the instructions made for it, several times as fast.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use pulp::x86::V4;
    use pulp::{NullaryFnOnce, cast};

    use super::{Keep, LANES, PANEL, Thin};

    pub(super) struct Compress<'a> {
        pub(super) simd: V4,
        pub(super) keep: Keep<'a>,
    }

    impl NullaryFnOnce for Compress<'_> {
        type Output = usize;

        #[inline(always)]
        fn call(self) -> usize {
            let simd = self.simd.avx512f;
            let Keep {
                steps,
                window,
                starts,
                entries,
            } = self.keep;
            let mut count = 0;
            let (floors, _) = window.floors.as_chunks::<LANES>();
            let (spans, _) = window.spans.as_chunks::<LANES>();
            let (places, _) = window.places.as_chunks::<LANES>();
            let mut rows = steps.chunks_exact(window.spans.len().max(1));
            for start in starts.iter_mut() {
                *start = count as u16;
                let Some(row) = rows.next() else { continue };
                let (row, _) = row.as_chunks::<LANES>();
                let columns = floors.iter().zip(spans).zip(places);
                for (steps, ((floors, spans), places)) in row.iter().zip(columns) {
                    let steps = cast(*steps);
                    let above = simd._mm512_sub_epi32(steps, cast(*floors));
                    let inside = simd._mm512_cmplt_epu32_mask(above, cast(*spans));
                    let packed =
                        simd._mm512_or_epi32(simd._mm512_slli_epi32::<8>(steps), cast(*places));
                    let Some(target) = entries[count..].first_chunk_mut::<LANES>() else {
                        continue;
                    };
                    *target = cast(simd._mm512_maskz_compress_epi32(inside, packed));
                    count += inside.count_ones() as usize;
                }
            }
            count
        }
    }

    pub(super) struct Lookup<'a> {
        pub(super) simd: V4,
        pub(super) thin: Thin<'a>,
    }

    impl NullaryFnOnce for Lookup<'_> {
        type Output = usize;

        #[inline(always)]
        fn call(self) -> usize {
            const LOW: [i32; LANES] = [255; LANES];
            const LANE: [i32; LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
            let simd = self.simd.avx512f;
            let thin = self.thin;
            let (nearest, _) = thin.nearest.as_chunks::<LANES>();
            let mut table = [cast([0i32; LANES]); PANEL / LANES];
            for (part, nearest) in table.iter_mut().zip(nearest) {
                *part = cast(*nearest);
            }
            let bit = |places, bit: i32| simd._mm512_test_epi32_mask(places, cast([bit; LANES]));
            let mut count = 0;
            for (place, gain) in thin.gains.iter_mut().enumerate().take(PANEL) {
                let start = usize::from(thin.starts[place]);
                let end = thin.starts.get(place + 1);
                let end = end.map_or(thin.entries.len(), |end| usize::from(*end));
                thin.starts[place] = count as u16;
                let mut sums = cast([0i32; LANES]);
                for from in (start..end).step_by(LANES) {
                    let entries = match thin.entries[from..].first_chunk::<LANES>() {
                        Some(entries) => *entries,
                        None => {
                            let mut last = [0; LANES];
                            let rest = &thin.entries[from..];
                            last[..rest.len()].copy_from_slice(rest);
                            last
                        }
                    };
                    let entries = cast(entries);
                    let places = simd._mm512_and_epi32(entries, cast(LOW));
                    let steps = simd._mm512_srli_epi32::<8>(entries);
                    // Of 256 values 32 at a time by the lower bits, of the 8 found one by the upper.
                    let mut found = [cast([0i32; LANES]); 8];
                    for (i, found) in found.iter_mut().enumerate() {
                        *found =
                            simd._mm512_permutex2var_epi32(table[2 * i], places, table[2 * i + 1]);
                    }
                    let (fifth, sixth, seventh) =
                        (bit(places, 32), bit(places, 64), bit(places, 128));
                    let of_two = |i: usize| {
                        simd._mm512_mask_blend_epi32(fifth, found[2 * i], found[2 * i + 1])
                    };
                    let lower = simd._mm512_mask_blend_epi32(sixth, of_two(0), of_two(1));
                    let upper = simd._mm512_mask_blend_epi32(sixth, of_two(2), of_two(3));
                    let near = simd._mm512_mask_blend_epi32(seventh, lower, upper);
                    let left = cast([(end - from).min(LANES) as i32; LANES]);
                    let listed = simd._mm512_cmpgt_epi32_mask(left, cast(LANE));
                    let nearer = simd._mm512_mask_cmpgt_epi32_mask(listed, near, steps);
                    let brought = simd._mm512_sub_epi32(near, steps);
                    sums = simd._mm512_mask_add_epi32(sums, nearer, sums, brought);
                    let Some(target) = thin.kept[count..].first_chunk_mut::<LANES>() else {
                        continue;
                    };
                    *target = cast(simd._mm512_maskz_compress_epi32(nearer, entries));
                    count += nearer.count_ones() as usize;
                }
                let sums: [i32; LANES] = cast(sums);
                *gain += sums.iter().map(|sum| i64::from(*sum)).sum::<i64>();
            }
            count
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulp::Scalar;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_lies_in_its_window_is_kept_in_order(
            rows in 0usize..=256, columns in 1usize..=16, scale in 1i32..40, seed in 0i32..1000,
        ) {
            let width = 16 * columns;
            let value = |i: usize, factor: i32| (i as i32 * factor + seed).rem_euclid(40);
            let steps: Vec<i32> = (0..rows * width).map(|i| value(i, 7919)).collect();
            let mut window = Window::default();
            for column in 0..width - 5 {
                window.push(255 - column, value(column, 31) - 20, value(column, 17) * scale / 20);
            }
            window.fill_up(width);
            let mut expected = Vec::new();
            for (row, steps) in steps.chunks(width).enumerate() {
                for (column, d) in steps[..width - 5].iter().enumerate() {
                    let (floor, limit) = (value(column, 31) - 20, value(column, 17) * scale / 20);
                    if (floor..limit).contains(d) {
                        expected.push((row, 255 - column, *d));
                    }
                }
            }
            let mut packed = Packed::default();
            packed.keep(&steps, &window);
            let mut portable = Packed::default();
            portable.len = Keep {
                steps: &steps,
                window: &window,
                starts: &mut portable.starts,
                entries: &mut portable.entries,
            }
            .with_simd(Scalar::new());
            for packed in [packed, portable] {
                let mut found = Vec::new();
                for row in 0..rows {
                    let start = usize::from(packed.starts[row]);
                    let end = packed.starts.get(row + 1).map_or(packed.len, |end| usize::from(*end));
                    for entry in &packed.entries()[start..end] {
                        let (place, steps) = unpack(*entry);
                        found.push((row, place, steps));
                    }
                }
                prop_assert_eq!(&found, &expected);
            }
        }

        #[test]
        fn what_is_not_nearer_is_dropped(seed in 0u32..10_000, length in 0u32..257, far in 0u32..200) {
            let mut state = seed;
            let mut next = |bound: u32| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) % bound.max(1)
            };
            let nearest: [i32; PANEL] = std::array::from_fn(|_| next(1 << 24) as i32);
            let (mut entries, mut starts) = (Vec::new(), [0u16; PANEL]);
            let mut lists = Vec::new();
            for start in &mut starts {
                *start = entries.len() as u16;
                let list: Vec<u32> = (0..next(length + 1))
                    .map(|place| next(1 << 24).saturating_sub(far << 14) << 8 | place)
                    .collect();
                entries.extend_from_slice(&list);
                lists.push(list);
            }
            let (mut expected, mut gains) = (Vec::new(), vec![0i64; PANEL]);
            let mut ends = Vec::new();
            for (list, gain) in lists.iter().zip(&mut gains) {
                for entry in list {
                    let (place, steps) = unpack(*entry);
                    if steps < nearest[place] {
                        expected.push(*entry);
                        *gain += i64::from(nearest[place] - steps);
                    }
                }
                ends.push(expected.len());
            }
            let mut scratch = Packed::default();
            let (mut thinned, mut begins, mut found) = (entries.clone(), starts, vec![0; PANEL]);
            let count = scratch.thin(&mut thinned, &mut begins, &nearest, &mut found);
            let (mut places, mut sums) = (starts, vec![0; PANEL]);
            let portable = Thin {
                entries: &entries,
                starts: &mut places,
                nearest: &nearest,
                gains: &mut sums,
                kept: &mut scratch.entries,
            }
            .with_simd(Scalar::new());
            prop_assert_eq!(&scratch.entries[..portable], &expected[..]);
            prop_assert_eq!(&thinned[..count], &expected[..]);
            prop_assert_eq!((&found, &sums), (&gains, &gains));
            prop_assert_eq!(begins, places);
            for (begin, end) in begins[1..].iter().zip(&ends) {
                prop_assert_eq!(usize::from(*begin), *end);
            }
        }
    }
}
