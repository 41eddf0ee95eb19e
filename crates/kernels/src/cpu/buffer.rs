//! Memory of feature maps that goes from tensor to tensor instead of back to the system.
//!
//! A training step makes and drops the same maps as the step before. Fresh memory costs a page
//! fault every 4 KiB, which took half of the time of a step.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shorter buffers are left to the allocator: 64 KiB.
const POOLED: usize = 16 * 1024;

/// Floats of unknown content, which go back to the pool when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Vec<f32>,
    /// The part in use: recycled memory may be a little longer.
    len: usize,
}

impl Buffer {
    /// A buffer of `len` floats; whoever takes it writes every one.
    pub(crate) fn take(len: usize) -> Self {
        let recycled = (len >= POOLED).then(|| pool().take(len)).flatten();
        let memory = recycled.unwrap_or_else(|| vec![0.0; len]);
        Self { memory, len }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if memory.len() >= POOLED {
            pool().give(memory);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.len]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    free: VecDeque::new(),
    idle: 0,
    live: 0,
    peak: 0,
});

/// The lists stay consistent if a thread panics between two calls.
fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Idle memory, oldest first. Together with what is in use it stays within 5/4 of what once was in
/// use at the same time: the pool hardly raises the peak of a program.
struct Pool {
    free: VecDeque<Vec<f32>>,
    /// Floats in `free`.
    idle: usize,
    /// Floats in buffers.
    live: usize,
    /// The largest `live` so far.
    peak: usize,
}

impl Pool {
    /// Idle memory of at least `len` floats and at most a quarter more, which is then in use; if
    /// there is none, the caller makes memory of `len` floats.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        let fits = |memory: &Vec<f32>| (len..=len + len / 4).contains(&memory.len());
        let found = (0..self.free.len())
            // The newest of the best size: it may still be in a cache.
            .rev()
            .filter(|&index| fits(&self.free[index]))
            .min_by_key(|&index| self.free[index].len());
        let memory = found.and_then(|index| self.free.remove(index));
        if let Some(memory) = &memory {
            self.idle -= memory.len();
        }
        self.live += memory.as_ref().map_or(len, Vec::len);
        self.peak = self.peak.max(self.live);
        self.shrink();
        memory
    }

    fn give(&mut self, memory: Vec<f32>) {
        self.live -= memory.len();
        self.idle += memory.len();
        self.free.push_back(memory);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.live + self.idle > self.peak + self.peak / 4 {
            match self.free.pop_front() {
                Some(oldest) => self.idle -= oldest.len(),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_stays_near_the_peak() {
        let mut pool = Pool {
            free: VecDeque::new(),
            idle: 0,
            live: 0,
            peak: 0,
        };
        assert!(pool.take(100).is_none());
        pool.give(vec![1.0; 100]);
        assert_eq!(pool.take(90), Some(vec![1.0; 100]));
        pool.give(vec![1.0; 100]);
        // Much smaller: new memory beside the idle one would exceed the bound, which then goes.
        assert!(pool.take(60).is_none());
        assert_eq!((pool.idle, pool.live, pool.peak), (0, 60, 100));
    }
}
