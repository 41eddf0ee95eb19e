//! Seeded mutations of files: bytes, pieces, numbers in binary and in text, and pieces of other seeds.

use afterimage_random::SplitMix64;

/// A small generator with a state of its own, so that a run can be done again.
pub struct Draws(SplitMix64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.bits()
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }
}

/// Numbers that programs trip over.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

const TEXTS: [&str; 30] = [
    "0",
    "-1",
    "1e308",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "9223372036854775808",
    "18446744073709551616",
    "",
    "\"",
    "'",
    "\"\"\"",
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[2J",
    "{",
    "}",
    "[[",
    "]]",
    "(",
    "=",
    "../",
    "/dev/zero",
    "\u{feff}",
    "é",
];

/// The longest input: longer ones say nothing that shorter ones do not.
const LONGEST: usize = 1 << 16;

/// One to eight changes of `bytes`; `others` are further seeds of the same kind.
pub fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], draws: &mut Draws) {
    for _ in 0..1 + draws.below(8).min(draws.below(8)) {
        change(bytes, others, draws);
    }
    bytes.truncate(LONGEST);
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], draws: &mut Draws) {
    let len = bytes.len();
    let at = draws.below(len + 1);
    // Pieces are short more often than long.
    let bits = draws.below(12);
    let most = (1usize << bits).min(len - at);
    let piece = at..at + draws.below(most + 1);
    match draws.below(12) {
        0 | 1 if at < len => bytes[at] ^= 1 << draws.below(8),
        2 if at < len => bytes[at] = draws.next() as u8,
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(piece)),
        5 => {
            let copy = bytes[piece].to_vec();
            let to = draws.below(bytes.len() + 1);
            drop(bytes.splice(to..to, copy));
        }
        6 => {
            let width = [1, 2, 4, 8][draws.below(4)];
            let number = NUMBERS[draws.below(NUMBERS.len())];
            let mut word = number.to_le_bytes()[..width].to_vec();
            if draws.below(2) == 0 {
                word.reverse();
            }
            let end = (at + width).min(len);
            bytes[at..end].copy_from_slice(&word[..end - at]);
        }
        7 => {
            let text = draws.of(&TEXTS);
            drop(bytes.splice(at..at, text.bytes()));
        }
        8 => {
            // A number in a text.
            if let Some(from) = (at..len).find(|&at| bytes[at].is_ascii_digit()) {
                let to = (from..len).find(|&at| !bytes[at].is_ascii_digit());
                let text = draws.of(&TEXTS[..9]);
                drop(bytes.splice(from..to.unwrap_or(len), text.bytes()));
            }
        }
        9 if !others.is_empty() => {
            let other = &others[draws.below(others.len())];
            let from = draws.below(other.len() + 1);
            let to = (from + (1 << bits)).min(other.len());
            drop(bytes.splice(piece, other[from..to].iter().copied()));
        }
        10 => {
            // A piece many times: nesting and long lines.
            let short = at..at + draws.below((len - at).min(16) + 1);
            let copies = bytes[short].repeat(1 << draws.below(12));
            drop(bytes.splice(at..at, copies));
        }
        11 => {
            let noise: Vec<u8> = (0..1 + draws.below(16))
                .map(|_| draws.next() as u8)
                .collect();
            drop(bytes.splice(at..at, noise));
        }
        _ => bytes.push(draws.next() as u8),
    }
}
