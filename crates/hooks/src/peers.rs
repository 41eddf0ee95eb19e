//! Forward passes that the processes of a run share out among them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::dispatch::words;
use crate::fault::Fault;

/// The processes that compute a run together, seen from one of them.
pub trait Peers {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are, above 0.
    fn size(&self) -> usize;

    /// What every process tells for `purpose`, in the order of their ranks; waits until all have called it.
    ///
    /// # Errors
    /// A process that failed, or that is elsewhere in the program.
    fn exchange(&self, purpose: &str, own: &[u8]) -> Result<Vec<Vec<u8>>, Fault>;
}

/// What `compute` gives; a panic in it is its fault, so that the other processes hear of it as they wait.
fn guarded(compute: impl FnOnce() -> Result<Vec<u8>, Fault>) -> Result<Vec<u8>, Fault> {
    catch_unwind(AssertUnwindSafe(compute))
        .unwrap_or_else(|panic| Err(Fault::new(format!("panicked: {}", words(&*panic)))))
}

/// What a message begins with.
const DATA: u8 = 0;
const FAULT: u8 = 1;

/// The passes of `count` that this process computes, of those that [`share_out`] asks for: every one where
/// it is alone.
pub fn own_passes(peers: Option<&dyn Peers>, count: usize) -> impl Iterator<Item = usize> + use<> {
    let (rank, size) = peers.map_or((0, 1), |peers| (peers.rank(), peers.size()));
    (rank..count).step_by(size.max(1))
}

/// Hands what `compute` gives for each of `count` passes to `take`, in the order of the passes; each is
/// computed by one process, and all of them take it. So what is taken has the same bytes however many
/// processes there are.
///
/// # Errors
/// The fault of the first pass that has one, in all processes alike; a process that failed; what `take` refuses.
pub fn share_out(
    peers: Option<&dyn Peers>,
    purpose: &str,
    count: usize,
    mut compute: impl FnMut(usize) -> Result<Vec<u8>, Fault>,
    mut take: impl FnMut(usize, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(peers) = peers else {
        return (0..count).try_for_each(|pass| take(pass, &compute(pass)?));
    };
    let size = peers.size().max(1);
    for first in (0..count).step_by(size) {
        let own = first + peers.rank();
        let mut fault = None;
        let message = match (own < count).then(|| guarded(|| compute(own))) {
            None => Vec::new(),
            Some(Ok(values)) => [&[DATA][..], &values].concat(),
            Some(Err(error)) => {
                let message = [&[FAULT][..], error.to_string().as_bytes()].concat();
                fault = Some(error);
                message
            }
        };
        let told = peers.exchange(purpose, &message)?;
        for (pass, message) in (first..count).zip(&told) {
            match message.split_first() {
                Some((&DATA, values)) => take(pass, values)?,
                Some((&FAULT, text)) => {
                    let other = || Fault::new(String::from_utf8_lossy(text));
                    let own = fault.take().filter(|_| pass == own);
                    return Err(own.unwrap_or_else(other));
                }
                _ => {
                    return Err(Fault::new(format!(
                        "the processes went apart at {purpose}: another one had fewer samples"
                    )));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    /// The second of two processes; the first tells what was written down for it.
    struct Second(RefCell<VecDeque<Vec<u8>>>);

    impl Peers for Second {
        fn rank(&self) -> usize {
            1
        }

        fn size(&self) -> usize {
            2
        }

        fn exchange(&self, _: &str, own: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
            let other = self.0.borrow_mut().pop_front().unwrap();
            Ok(vec![other, own.to_vec()])
        }
    }

    /// Passes with the values that were told of them.
    type Taken = Vec<(usize, Vec<u8>)>;

    /// Passes that were computed here, those that were taken, and the fault.
    fn run(
        told: &[&[u8]],
        count: usize,
        faulty: Option<usize>,
    ) -> (Vec<usize>, Taken, Option<String>) {
        let second = Second(RefCell::new(
            told.iter().map(|told| told.to_vec()).collect(),
        ));
        let (mut computed, mut taken) = (Vec::new(), Vec::new());
        let ended = share_out(
            Some(&second),
            "a test",
            count,
            |pass| {
                computed.push(pass);
                match faulty == Some(pass) {
                    true => Err(Fault::new("no picture")),
                    false => Ok(vec![pass as u8]),
                }
            },
            |pass, values| {
                taken.push((pass, values.to_vec()));
                Ok(())
            },
        );
        (computed, taken, ended.err().map(|fault| fault.to_string()))
    }

    #[test]
    fn every_pass_is_computed_once_and_taken_in_order() {
        let (computed, taken, fault) = run(&[&[DATA, 0], &[DATA, 2]], 3, None);
        assert_eq!(computed, [1]);
        assert_eq!(taken, [(0, vec![0]), (1, vec![1]), (2, vec![2])]);
        assert_eq!(fault, None);
        let second = Second(RefCell::default());
        assert_eq!(own_passes(Some(&second), 5).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(own_passes(None, 3).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn the_first_fault_is_that_of_all_processes() {
        let (_, taken, fault) = run(&[&[DATA, 0]], 3, Some(1));
        assert_eq!(taken.len(), 1);
        assert_eq!(fault.as_deref(), Some("no picture"));
        let (_, taken, fault) = run(&[b"\x01gone"], 3, Some(1));
        assert!(taken.is_empty());
        assert_eq!(fault.as_deref(), Some("gone"));
        let panics = |_| -> Result<Vec<u8>, Fault> { panic!("no memory") };
        let told = VecDeque::from([vec![DATA, 0]]);
        let second = Second(RefCell::new(told));
        let ended = share_out(Some(&second), "a probe", 2, panics, |_, _| Ok(()));
        assert_eq!(ended.unwrap_err().to_string(), "panicked: no memory");
        let (_, _, fault) = run(&[b""], 2, None);
        assert!(fault.unwrap().contains("went apart"));
    }
}
