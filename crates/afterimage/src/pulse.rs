//! How far a command is that takes its time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use afterimage_hooks::random::RandomKey;
use afterimage_hooks::{Fault, LabelAccess, Labels, SampleId, Samples, Split, TruthAccess};
use burn::tensor::Tensor;

/// Counts what a command has done, for whoever shows it meanwhile; clones count together.
///
/// # Examples
/// ```
/// let pulse = afterimage::Pulse::default();
/// pulse.expect(1000, "learners");
/// pulse.set(120);
/// assert_eq!((pulse.read().done, pulse.read().all, pulse.read().what), (120, 1000, "learners"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    expected: Mutex<Expected>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    all: u64,
    what: &'static str,
    work: u64,
}

/// What a [`Pulse`] has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many are done.
    pub done: u64,
    /// Of how many; 0 where nobody knows.
    pub all: u64,
    /// What is counted, as `arms`.
    pub what: &'static str,
    /// Which work it is, of several one after the other.
    pub work: u64,
}

impl PartialEq for Pulse {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Pulse {}

impl Pulse {
    /// Begins to count anew: `all` of `what`, 0 where it is not known.
    pub fn expect(&self, all: u64, what: &'static str) {
        let mut expected = self.expected();
        *expected = Expected {
            all,
            what,
            work: expected.work + 1,
        };
        self.set(0);
    }

    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Says that so many are `done`.
    pub fn set(&self, done: u64) {
        self.0.done.store(done, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Counted {
        let Expected { all, what, work } = *self.expected();
        Counted {
            done: self.0.done.load(Ordering::Relaxed),
            all,
            what,
            work,
        }
    }

    fn expected(&self) -> std::sync::MutexGuard<'_, Expected> {
        let locked = self.0.expected.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time as people say it: `40 s`, `17 min`.
pub fn in_words(seconds: f64) -> String {
    match seconds.ceil() as u64 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// Samples whose views are counted when they are rendered.
pub(crate) struct Watched<'a> {
    pub(crate) samples: &'a dyn Samples,
    pub(crate) pulse: &'a Pulse,
}

impl Samples for Watched<'_> {
    fn len(&self, split: Split) -> usize {
        self.samples.len(split)
    }

    fn probe_views(
        &self,
        split: Split,
        ids: &[SampleId],
        views: usize,
    ) -> Result<Tensor<4>, Fault> {
        let rendered = self.samples.probe_views(split, ids, views);
        self.pulse.add((ids.len() * views) as u64);
        rendered
    }

    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        self.samples.originals(split, ids)
    }

    fn picture(&self, split: Split, id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        self.samples.picture(split, id)
    }

    fn name(&self, split: Split, id: SampleId) -> Option<String> {
        self.samples.name(split, id)
    }

    fn labels(&self, split: Split, access: &LabelAccess) -> Result<Labels<'_>, Fault> {
        self.samples.labels(split, access)
    }

    fn true_labels(&self, split: Split, access: &TruthAccess) -> Result<Labels<'_>, Fault> {
        self.samples.true_labels(split, access)
    }

    fn augmented(
        &self,
        split: Split,
        ids: &[SampleId],
        key: RandomKey,
    ) -> Result<Tensor<4>, Fault> {
        self.samples.augmented(split, ids, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_each_work_begins_at_nothing() {
        let pulse = Pulse::default();
        let clone = pulse.clone();
        clone.expect(10, "arms");
        clone.add(3);
        let first = pulse.read();
        assert_eq!((first.done, first.all, first.what), (3, 10, "arms"));
        pulse.expect(0, "views");
        let second = clone.read();
        assert_eq!((second.done, second.all), (0, 0));
        assert_ne!(first.work, second.work);
        assert!(pulse == clone && pulse != Pulse::default());
    }

    #[test]
    fn times_are_rounded_up() {
        assert_eq!(
            [0.0, 14.2, 119.0, 1000.0].map(in_words),
            ["0 s", "15 s", "119 s", "17 min"]
        );
    }
}
