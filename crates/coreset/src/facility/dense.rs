//! The whole matrix of distances in memory.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::cloud::{Cloud, PANEL};
use super::fixed::{Cell, Fall, take_gains};
use super::slab::Slab;
use super::source::Source;
use super::sweep::sweep;
use super::team::Team;
use super::totals::Totals;
use super::transpose::transpose;
use crate::error::CoresetError;

/// Candidates of one piece of work, if a group's work is shared.
const PIECE: usize = 1024;

/// Distances `[n, padded]` as cells of `C`.
pub(crate) struct Dense<C> {
    len: usize,
    padded: usize,
    slab: Slab,
    totals: Vec<i64>,
    largest: i32,
    cell: PhantomData<C>,
}

impl<C: Cell> Dense<C> {
    /// Bytes for a group of `len` points.
    pub(crate) fn bytes(len: usize) -> u64 {
        let padded = len.next_multiple_of(super::cloud::ALIGN) as u64;
        padded * padded * size_of::<C>() as u64
    }

    /// All distances of `cloud`; memory of an earlier group is used again if it is large enough.
    ///
    /// # Errors
    /// The system refuses the memory.
    pub(crate) fn new(
        cloud: &Cloud,
        team: Team,
        spare: &mut Option<Slab>,
    ) -> Result<Self, CoresetError> {
        let padded = cloud.padded();
        let need = padded * padded;
        let kept = spare.take().filter(|slab| slab.values::<C>().len() >= need);
        let mut slab = match kept {
            Some(slab) => slab,
            None => Slab::new::<C>(need)?,
        };
        let totals = Totals::new(cloud);
        let matrix = &mut slab.values_mut::<C>()[..need];
        let panels: Vec<Mutex<&mut [C]>> =
            matrix.chunks_mut(PANEL * padded).map(Mutex::new).collect();
        sweep(cloud, team, |turned: &mut Vec<i32>, pair| {
            totals.add(cloud, pair);
            let mut panel = panels[pair.left]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            write(&mut panel, padded, pair.steps, pair.columns.clone());
            drop(panel);
            if pair.left != pair.right {
                let mut panel = panels[pair.right]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                turned.resize(pair.steps.len(), 0);
                let (height, width) = (pair.rows.len(), pair.columns.len());
                transpose(pair.steps, width, turned, height);
                write(&mut panel, padded, turned, pair.rows.clone());
            }
        });
        drop(panels);
        let (totals, largest) = totals.finish();
        Ok(Self {
            len: cloud.len(),
            padded,
            slab,
            totals,
            largest,
            cell: PhantomData,
        })
    }

    /// The memory, for the next group.
    pub(crate) fn into_slab(self) -> Slab {
        self.slab
    }
}

/// Puts a tile into the `columns` of the first rows of a panel.
fn write<C: Cell>(panel: &mut [C], padded: usize, tile: &[i32], columns: Range<usize>) {
    let rows = panel.chunks_exact_mut(padded);
    for (row, steps) in rows.zip(tile.chunks_exact(columns.len())) {
        let cells = row[columns.clone()].iter_mut().zip(steps);
        cells.for_each(|(cell, d)| *cell = C::narrow(*d));
    }
}

impl<C: Cell> Source for Dense<C> {
    fn len(&self) -> usize {
        self.len
    }

    fn totals(&self) -> &[i64] {
        &self.totals
    }

    fn largest(&self) -> i32 {
        self.largest
    }

    fn row(&mut self, point: usize, out: &mut Vec<i32>) {
        out.clear();
        let row = &self.slab.values::<C>()[point * self.padded..][..self.padded];
        out.extend(row.iter().map(|cell| cell.wide()));
    }

    fn gains(&mut self, nearest: &[i32], team: Team) -> Vec<i64> {
        // All that a point gives is what it would no longer give if it were selected.
        let falls: Vec<Fall> = nearest
            .iter()
            .enumerate()
            .map(|(point, old)| Fall {
                point: point as u32,
                old: *old,
                new: 0,
            })
            .collect();
        let mut gains = vec![0; self.padded];
        self.take(&mut gains, &falls, team);
        gains.iter_mut().for_each(|gain| *gain = -*gain);
        gains
    }

    fn take(&mut self, gains: &mut [i64], falls: &[Fall], team: Team) {
        let (matrix, padded) = (self.slab.values::<C>(), self.padded);
        // Sharing little work costs more than the work.
        let team = if falls.len() * padded < 1 << 19 {
            Team::Alone
        } else {
            team
        };
        let piece = if team == Team::Alone { padded } else { PIECE };
        team.pieces(gains, piece, |(), start, gains| {
            let end = start + gains.len();
            take_gains(gains, falls, |i| {
                &matrix[falls[i].point as usize * padded..][start..end]
            });
        });
    }
}
