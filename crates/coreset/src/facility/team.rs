//! Who does the work of one group.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

/// One thread, or all threads of the pool. Results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Team {
    /// The calling thread.
    Alone,
    /// All threads of the current pool.
    All,
}

impl Team {
    /// Calls `work` with each of `0..count`; results in this order.
    pub(crate) fn map<R: Send>(
        self,
        count: usize,
        work: impl Fn(usize) -> R + Sync + Send,
    ) -> Vec<R> {
        match self {
            Self::Alone => (0..count).map(work).collect(),
            Self::All => (0..count)
                .into_par_iter()
                .with_max_len(1)
                .map(work)
                .collect(),
        }
    }

    /// [`Team::map`] with working memory.
    pub(crate) fn map_with<R: Send, M: Default + Send>(
        self,
        count: usize,
        work: impl Fn(&mut M, usize) -> R + Sync + Send,
    ) -> Vec<R> {
        let free = Mutex::new(Vec::<M>::new());
        let lock = || free.lock().unwrap_or_else(PoisonError::into_inner);
        self.map(count, |index| {
            let taken = lock().pop();
            let mut memory = taken.unwrap_or_default();
            let result = work(&mut memory, index);
            lock().push(memory);
            result
        })
    }

    /// Calls `work` with working memory, each piece of `items`, `size` long, and its start.
    pub(crate) fn pieces<T: Send, M: Default>(
        self,
        items: &mut [T],
        size: usize,
        work: impl Fn(&mut M, usize, &mut [T]) + Sync + Send,
    ) {
        match self {
            Self::Alone => {
                let mut memory = M::default();
                let pieces = items.chunks_mut(size).enumerate();
                pieces.for_each(|(i, piece)| work(&mut memory, i * size, piece));
            }
            Self::All => items
                .par_chunks_mut(size)
                .enumerate()
                .for_each_init(M::default, |memory, (i, piece)| {
                    work(memory, i * size, piece)
                }),
        }
    }
}
