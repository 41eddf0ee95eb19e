//! Batches rendered ahead of the training loop.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use afterimage_hooks::SampleId;

use crate::batch::{ViewBatch, ViewSource};
use crate::error::DataError;
use crate::planned::Planned;

/// Renders the batches of an epoch on background threads and hands them out in order.
///
/// The threads are its own and each renders whole batches alone. On rayon's global pool rendering
/// would queue behind the jobs of a training step, and a training step that waits for its own jobs
/// would pick up a render job and stall for it; here the operating system shares the cores.
///
/// At most `depth` batches are rendered or being rendered ahead. Dropping it stops the threads
/// after the batch under way and waits for them.
pub struct Prefetcher {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    batches: Vec<Vec<SampleId>>,
    depth: usize,
}

#[derive(Default)]
struct State {
    /// Batches that a thread has taken up.
    started: usize,
    /// Batches that were handed out.
    delivered: usize,
    ready: BTreeMap<usize, Result<ViewBatch, DataError>>,
    stopped: bool,
}

impl Prefetcher {
    /// Starts `threads` threads (at least 1) on the batches of `epoch`, `views` views a sample, at
    /// most `depth` batches ahead (at least 1), behind the first `done` batches. A sample that
    /// stands several times in `batches` has other views each time; of parts of batches
    /// ([`Planned::at`]) nothing else is read or rendered, and they have the views of whole ones.
    ///
    /// # Errors
    /// The operating system's refusal to start a thread.
    pub fn start(
        source: Arc<ViewSource>,
        batches: impl Into<Planned>,
        done: usize,
        epoch: u32,
        views: usize,
        depth: usize,
        threads: usize,
    ) -> Result<Self, DataError> {
        let Planned { batches, passes } = batches.into().behind(done);
        Self::start_with(batches, depth, threads, move |number, ids| {
            source.batch_on_this_thread(ids, &passes[number], epoch, views)
        })
    }

    fn start_with(
        batches: Vec<Vec<SampleId>>,
        depth: usize,
        threads: usize,
        render: impl Fn(usize, &[SampleId]) -> Result<ViewBatch, DataError> + Send + Sync + 'static,
    ) -> Result<Self, DataError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            batches,
            depth: depth.max(1),
        });
        let render = Arc::new(render);
        let mut prefetcher = Self {
            shared,
            threads: Vec::new(),
        };
        for number in 0..threads.max(1) {
            let (shared, render) = (Arc::clone(&prefetcher.shared), Arc::clone(&render));
            let thread = std::thread::Builder::new()
                .name(format!("views-{number}"))
                .spawn(move || shared.work(render.as_ref()))
                .map_err(|e| DataError::Worker {
                    batch: 0,
                    reason: format!("the thread could not be started: {e}"),
                })?;
            prefetcher.threads.push(thread);
        }
        Ok(prefetcher)
    }
}

impl Iterator for Prefetcher {
    type Item = Result<ViewBatch, DataError>;

    /// The next batch in order, after waiting for it; `None` after the last.
    fn next(&mut self) -> Option<Self::Item> {
        let mut state = self.shared.lock();
        if state.delivered == self.shared.batches.len() {
            return None;
        }
        let wanted = state.delivered;
        loop {
            if let Some(batch) = state.ready.remove(&wanted) {
                state.delivered += 1;
                self.shared.changed.notify_all();
                return Some(batch);
            }
            state = self.shared.wait(state);
        }
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic while rendering was delivered as an error; there is no other result.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self, render: &(impl Fn(usize, &[SampleId]) -> Result<ViewBatch, DataError> + Sync)) {
        while let Some(number) = self.take() {
            let ids = &self.batches[number];
            let batch =
                catch_unwind(AssertUnwindSafe(|| render(number, ids))).unwrap_or_else(|panic| {
                    Err(DataError::Worker {
                        batch: number,
                        reason: message(panic.as_ref()),
                    })
                });
            self.lock().ready.insert(number, batch);
            self.changed.notify_all();
        }
    }

    /// The number of the next batch to render, once there is room for it.
    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.started == self.batches.len() {
                return None;
            }
            if state.started < state.delivered + self.depth {
                state.started += 1;
                return Some(state.started - 1);
            }
            state = self.wait(state);
        }
    }

    // No code that can panic runs under the lock, so that a poisoned lock holds a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the thread panicked".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn numbered(count: u32) -> Vec<Vec<SampleId>> {
        (0..count).map(|number| vec![SampleId(number)]).collect()
    }

    fn blank(ids: &[SampleId]) -> ViewBatch {
        ViewBatch {
            ids: ids.to_vec(),
            weights: vec![1.0],
            views: 1,
            shape: [1; 4],
            data: vec![0.0],
        }
    }

    #[test]
    fn batches_come_in_order_from_threads_of_uneven_speed() {
        let render = |_: usize, ids: &[SampleId]| {
            std::thread::sleep(Duration::from_millis(u64::from(ids[0].0 * 7 % 5)));
            Ok(blank(ids))
        };
        let fetched: Vec<u32> = Prefetcher::start_with(numbered(40), 5, 3, render)
            .unwrap()
            .map(|batch| batch.unwrap().ids[0].0)
            .collect();
        assert_eq!(fetched, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn no_more_than_depth_batches_are_rendered_ahead() {
        let rendered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&rendered);
        let mut fetcher = Prefetcher::start_with(numbered(50), 4, 3, move |_, ids| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(blank(ids))
        })
        .unwrap();
        for taken in 0..10 {
            std::thread::sleep(Duration::from_millis(5));
            assert!(rendered.load(Ordering::SeqCst) <= taken + 4);
            fetcher.next().unwrap().unwrap();
        }
        drop(fetcher);
        assert!(rendered.load(Ordering::SeqCst) <= 14);
    }

    #[test]
    fn a_panic_becomes_an_error_of_its_batch_and_the_others_come_through() {
        let render = |_: usize, ids: &[SampleId]| match ids[0].0 {
            3 => panic!("no such colour"),
            _ => Ok(blank(ids)),
        };
        let results: Vec<_> = Prefetcher::start_with(numbered(6), 2, 2, render)
            .unwrap()
            .collect();
        assert_eq!(results.len(), 6);
        for (number, result) in results.iter().enumerate() {
            match result {
                Err(DataError::Worker { batch: 3, reason }) => assert_eq!(reason, "no such colour"),
                other => assert!(number != 3 && other.is_ok(), "{number}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_epoch_without_batches_ends_at_once() {
        assert!(
            Prefetcher::start_with(Vec::new(), 2, 2, |_, ids| Ok(blank(ids)))
                .unwrap()
                .next()
                .is_none()
        );
    }
}
