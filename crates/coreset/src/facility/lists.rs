//! For each candidate the points that it would bring nearer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cloud::{Cloud, PANEL};
use super::compress::{Packed, unpack};
use super::flat::{Entry, Flat};
use super::team::Team;

/// For each candidate the points that it would bring nearer than they are now, each point once. Points
/// only come nearer, so that nothing outside of the lists ever counts.
pub(crate) struct Lists<'a> {
    /// Memory that is not used yet; none once something did not fit.
    rest: Mutex<Option<&'a mut [u32]>>,
    /// By the panel of the candidates.
    shelves: Vec<Mutex<Shelf<'a>>>,
}

/// Lists of the candidates of a panel.
#[derive(Default)]
struct Shelf<'a> {
    /// Blocks with the panel of their points.
    blocks: Vec<(usize, Block<'a>)>,
    /// Lists whatever the panels of their points.
    flat: Flat,
}

/// Distances of the candidates of one panel to points of one panel.
struct Block<'a> {
    starts: [u16; PANEL],
    entries: &'a mut [u32],
    /// Entries that still count.
    len: usize,
}

/// Bytes of an entry in the memory that lists are given.
pub(crate) const PACKED: u64 = size_of::<u32>() as u64;
/// Bytes of an entry after [`Lists::compact`].
pub(crate) const LOOSE: u64 = size_of::<Entry>() as u64;

impl Block<'_> {
    fn of(&self, place: usize) -> &[u32] {
        let end = self.starts.get(place + 1).map(|end| usize::from(*end));
        &self.entries[usize::from(self.starts[place])..end.unwrap_or(self.len)]
    }
}

impl Shelf<'_> {
    fn len(&self) -> usize {
        let blocks = self.blocks.iter();
        self.flat.entries.len() + blocks.map(|(_, block)| block.len).sum::<usize>()
    }

    /// What a candidate brings, and the length of its list.
    fn gain(&self, place: usize, nearest: &[i32]) -> (i64, usize) {
        let mut gain = self.flat.gain(place, nearest);
        let mut len = self.flat.of(place).len();
        let (panels, _) = nearest.as_chunks::<PANEL>();
        for (panel, block) in &self.blocks {
            let nearest = &panels[*panel];
            let list = block.of(place);
            // A list has an entry for each point of a panel at most.
            let mut sum = 0u32;
            for entry in list {
                let (place, steps) = unpack(*entry);
                sum += (nearest[place] - steps).max(0) as u32;
            }
            gain += i64::from(sum);
            len += list.len();
        }
        (gain, len)
    }

    /// Drops what no longer counts. Short lists of many blocks become flat if they fit into what is left
    /// of `room`. Returns what each candidate brings.
    fn compact(&mut self, nearest: &[i32], scratch: &mut Packed, room: &AtomicUsize) -> Vec<i64> {
        /// Entries of a list in a block on average, below which it is faster without blocks.
        const SHORT: usize = 6;
        let mut gains = vec![0; PANEL];
        self.flat.compact(nearest, &mut gains);
        let (panels, _) = nearest.as_chunks::<PANEL>();
        for (panel, block) in &mut self.blocks {
            let entries = &mut block.entries[..block.len];
            block.len = scratch.thin(entries, &mut block.starts, &panels[*panel], &mut gains);
        }
        let short = self.len() < self.blocks.len() * PANEL * SHORT;
        if short && !self.blocks.is_empty() {
            let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(self.len())
            });
            if taken.is_ok() {
                self.flat = self.flattened();
                self.blocks.clear();
            }
        }
        gains
    }

    fn flattened(&self) -> Flat {
        let mut flat = Flat {
            ends: Vec::with_capacity(PANEL),
            entries: Vec::with_capacity(self.len()),
        };
        for place in 0..PANEL {
            flat.entries.extend_from_slice(self.flat.of(place));
            for (panel, block) in &self.blocks {
                let list = block.of(place).iter().map(|entry| {
                    let (place, steps) = unpack(*entry);
                    let point = (panel * PANEL + place) as u32;
                    Entry { point, steps }
                });
                flat.entries.extend(list);
            }
            flat.ends.push(flat.entries.len());
        }
        flat
    }
}

impl<'a> Lists<'a> {
    /// Empty lists that may fill `memory`.
    pub(crate) fn new(cloud: &Cloud, memory: &'a mut [u32]) -> Self {
        Self {
            rest: Mutex::new(Some(memory)),
            shelves: cloud.panels().iter().map(|_| Mutex::default()).collect(),
        }
    }

    /// Adds distances of the candidates of a panel, a row each, to points of the panel `points`.
    pub(crate) fn add(&self, candidates: usize, points: usize, packed: &Packed) {
        let Some(entries) = self.place(packed.entries()) else {
            return;
        };
        let block = Block {
            starts: packed.starts,
            len: entries.len(),
            entries,
        };
        self.shelf(candidates).blocks.push((points, block));
    }

    /// A copy of `entries`; `None` if they do not fit, and ever after.
    fn place(&self, entries: &[u32]) -> Option<&'a mut [u32]> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, left) = rest.take()?.split_at_mut_checked(entries.len())?;
        *rest = Some(left);
        drop(rest);
        taken.copy_from_slice(entries);
        Some(taken)
    }

    /// Entries for which there is memory; `None` if something is missing in the lists for lack of it.
    pub(crate) fn room(&self) -> Option<usize> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.as_ref().map(|rest| rest.len())
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        (0..self.shelves.len())
            .map(|panel| self.shelf(panel).len())
            .sum()
    }

    /// Number of blocks of each panel of candidates.
    pub(crate) fn blocks(&self) -> Vec<usize> {
        (0..self.shelves.len())
            .map(|panel| self.shelf(panel).blocks.len())
            .collect()
    }

    /// Drops what was added since the panels had `blocks` blocks.
    pub(crate) fn take_back(&self, blocks: &[usize]) {
        for (panel, blocks) in blocks.iter().enumerate() {
            self.shelf(panel).blocks.truncate(*blocks);
        }
    }

    /// What a candidate brings to the points of its list if `nearest` `[panels × 256]` are the
    /// distances to the nearest selected points, and the length of the list.
    pub(crate) fn gain(&self, candidate: usize, nearest: &[i32]) -> (i64, usize) {
        self.shelf(candidate / PANEL)
            .gain(candidate % PANEL, nearest)
    }

    /// Calls `visit` with the points of a candidate's list and their distances.
    pub(crate) fn visit(&self, candidate: usize, mut visit: impl FnMut(usize, i32)) {
        let shelf = self.shelf(candidate / PANEL);
        let place = candidate % PANEL;
        for entry in shelf.flat.of(place) {
            visit(entry.point as usize, entry.steps);
        }
        for (panel, block) in &shelf.blocks {
            for entry in block.of(place) {
                let (place, steps) = unpack(*entry);
                visit(panel * PANEL + place, steps);
            }
        }
    }

    /// Drops what no longer counts and puts the lists of `most` entries together, candidate by
    /// candidate; returns what each candidate brings.
    pub(crate) fn compact(&self, nearest: &[i32], most: usize, team: Team) -> Vec<i64> {
        let flat: usize = (0..self.shelves.len())
            .map(|panel| self.shelf(panel).flat.entries.len())
            .sum();
        let room = AtomicUsize::new(most.saturating_sub(flat));
        let gains = team.map_with(self.shelves.len(), |scratch: &mut Packed, panel| {
            self.shelf(panel).compact(nearest, scratch, &room)
        });
        gains.concat()
    }

    fn shelf(&self, panel: usize) -> MutexGuard<'_, Shelf<'a>> {
        self.shelves[panel]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
