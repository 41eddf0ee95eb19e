//! Lists of points behind each other.

/// A point that a candidate would bring nearer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry {
    /// The point.
    pub(crate) point: u32,
    /// Its distance to the candidate in steps.
    pub(crate) steps: i32,
}

/// The lists of neighbouring candidates.
#[derive(Default)]
pub(crate) struct Flat {
    /// Where each list ends.
    pub(crate) ends: Vec<usize>,
    /// One list after the other.
    pub(crate) entries: Vec<Entry>,
}

impl Flat {
    /// The list of a candidate; an empty one if there is none.
    pub(crate) fn of(&self, place: usize) -> &[Entry] {
        let Some(end) = self.ends.get(place) else {
            return &[];
        };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start..*end]
    }

    /// What a candidate brings if `nearest` are the distances to the nearest selected points.
    pub(crate) fn gain(&self, place: usize, nearest: &[i32]) -> i64 {
        let brought = |entry: &Entry| (nearest[entry.point as usize] - entry.steps).max(0);
        let entries = self.of(place).iter();
        entries.map(|entry| i64::from(brought(entry))).sum()
    }

    /// Drops what no longer counts; adds what each candidate brings to `gains`.
    pub(crate) fn compact(&mut self, nearest: &[i32], gains: &mut [i64]) {
        let (mut end, mut start) = (0, 0);
        for (stop, gain) in self.ends.iter_mut().zip(gains) {
            for index in start..*stop {
                let entry = self.entries[index];
                let brought = nearest[entry.point as usize] - entry.steps;
                *gain += i64::from(brought.max(0));
                self.entries[end] = entry;
                end += usize::from(brought > 0);
            }
            start = *stop;
            *stop = end;
        }
        self.entries.truncate(end);
    }
}
