//! Processes that compute one run together: what they tell each other, and what happens when one fails.
//!
//! Every process runs the whole deterministic program; they share out what a step computes. All of them
//! call [`Group::exchange`] the same number of times, for the same purposes in the same order, and [`Group::swap`]
//! as often behind it.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use afterimage_hooks::{Fault, Peers};
use afterimage_ssl::Shard;

use crate::error::TrainError;

/// Processes that were started together, seen from one of them.
pub trait Processes {
    /// Number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are, above 0.
    fn size(&self) -> usize;

    /// The bytes of all processes, in the order of their ranks; waits until all have called it.
    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>>;

    /// The bytes of process `with`, which calls it with the rank of this one; waits until it has.
    fn swap(&self, with: usize, own: &[u8]) -> Vec<u8>;
}

/// The processes of a run; one alone unless told.
#[derive(Clone, Default)]
pub struct Group(Option<Rc<Shared>>);

struct Shared {
    processes: Box<dyn Processes>,
    /// Why all know that the job ends, so that nothing is exchanged any more.
    over: RefCell<Option<String>>,
}

impl Peers for Group {
    fn rank(&self) -> usize {
        Self::rank(self)
    }

    fn size(&self) -> usize {
        Self::size(self)
    }

    fn exchange(&self, purpose: &str, own: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        Self::exchange(self, purpose, own).map_err(|error| Fault::new(error.to_string()))
    }
}

/// What a message begins with.
const DATA: u8 = 0;
const FAILED: u8 = 1;
const ENDED: u8 = 2;

impl Group {
    /// The group of `processes`; one process is a run like any other.
    pub fn of(processes: Box<dyn Processes>) -> Self {
        match processes.size() {
            0 | 1 => Self::default(),
            _ => Self(Some(Rc::new(Shared {
                processes,
                over: RefCell::default(),
            }))),
        }
    }

    /// Number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |shared| shared.processes.rank())
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |shared| shared.processes.size())
    }

    /// Whether there is no other process.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this process writes and speaks for all.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The shards that this process computes, of `shards` in all: a block of as many as every other's.
    pub(crate) fn share(&self, shards: usize) -> Range<usize> {
        let each = shards / self.size();
        each * self.rank()..each * (self.rank() + 1)
    }

    /// The part of each batch that this process computes: the shards of [`share`](Self::share), as one.
    pub(crate) fn part(&self) -> Shard {
        Shard {
            index: self.rank(),
            of: self.size(),
        }
    }

    /// Whether `shards` can be shared out evenly.
    ///
    /// # Errors
    /// What to do where they cannot.
    pub fn check_shards(&self, shards: usize, batch: usize) -> Result<(), String> {
        let size = self.size();
        if shards.is_multiple_of(size) {
            return Ok(());
        }
        let fits = |count: &usize| batch.is_multiple_of(*count) && batch / count >= 2;
        let next = (1..=batch / 2)
            .map(|many| many * size)
            .take_while(|count| *count <= batch / 2)
            .find(fits);
        let advice = match next {
            Some(count) => format!("set `[batch] shards = {count}` or another multiple of {size}"),
            None => format!(
                "give `batch_size` a multiple of {} and `[batch] shards` a multiple of {size}",
                2 * size
            ),
        };
        let dividing = (1..=shards).filter(|count| shards.is_multiple_of(*count));
        let dividing: Vec<String> = dividing.map(|count| count.to_string()).collect();
        let (dividing, plural) = (dividing.join(" or "), if shards == 1 { "" } else { "s" });
        Err(format!(
            "{size} processes cannot share out the {shards} shard{plural} of a batch evenly: {advice}, or start \
             {dividing} of them. Shards decide the bytes of a run, the number of processes does not"
        ))
    }

    /// Whether the others still work on the run: where one failed in an exchange that a plugin asked for, its
    /// fault is the plugin's, and the run is to end before anything is kept of it.
    ///
    /// # Errors
    /// How another process failed.
    pub(crate) fn stands(&self) -> Result<(), TrainError> {
        let over = self
            .0
            .as_ref()
            .and_then(|shared| shared.over.borrow().clone());
        over.map_or(Ok(()), |why| Err(TrainError::Processes(why)))
    }

    /// What every process tells for `purpose`, in the order of their ranks; a process that is alone hears
    /// itself.
    ///
    /// # Errors
    /// A process that failed, or that is elsewhere in the program.
    pub fn exchange(&self, purpose: &str, own: &[u8]) -> Result<Vec<Vec<u8>>, TrainError> {
        let Some(shared) = &self.0 else {
            return Ok(vec![own.to_vec()]);
        };
        self.stands()?;
        let mut message = vec![DATA, u8::try_from(purpose.len()).unwrap_or(u8::MAX)];
        message.extend(purpose.bytes().take(u8::MAX.into()));
        let head = message.len();
        message.extend_from_slice(own);
        let mut all = shared.processes.gather(&message);
        let problems = self.problems(&all, Some(purpose));
        if !problems.is_empty() {
            let why = problems.join("\n");
            shared.over.replace(Some(why.clone()));
            return Err(TrainError::Processes(why));
        }
        for message in &mut all {
            message.drain(..head);
        }
        Ok(all)
    }

    /// What the process across `level` tells: that whose rank differs in this bit alone, of a number of
    /// processes that is a power of two. Nothing where it has nothing, as this one where `own` is none.
    ///
    /// Processes that fail between swaps go through the rest of them with nothing, so that none waits,
    /// and say why in the next [`exchange`](Self::exchange).
    pub(crate) fn swap(&self, level: u32, own: Option<&[u8]>) -> Option<Vec<u8>> {
        let shared = self.0.as_ref().filter(|_| self.stands().is_ok())?;
        let with = self.rank() ^ (1 << level);
        let message = match own {
            Some(own) => [&[DATA][..], own].concat(),
            None => vec![FAILED],
        };
        let mut theirs = shared.processes.swap(with, &message);
        match theirs.first() {
            Some(&DATA) => {
                theirs.remove(0);
                Some(theirs)
            }
            _ => None,
        }
    }

    /// Tells the others how this process ended; gives how others failed, if it did not fail itself.
    ///
    /// Every process calls it once at its end, unless it stops all of them.
    pub fn conclude(&self, own: Result<(), String>) -> Vec<String> {
        let Some(shared) = &self.0 else {
            return Vec::new();
        };
        let ended = "the other processes have ended".to_owned();
        if shared.over.replace(Some(ended)).is_some() {
            return Vec::new();
        }
        let message = match own {
            Ok(()) => vec![ENDED],
            Err(text) => [&[FAILED][..], text.as_bytes()].concat(),
        };
        let mut all = shared.processes.gather(&message);
        if message.first() == Some(&FAILED) {
            // Most often the others failed of the same, and one error is told.
            for other in all.iter_mut().filter(|other| **other == message) {
                *other = vec![ENDED];
            }
            return self.failures(&all);
        }
        self.problems(&all, None)
    }

    /// How others failed.
    fn failures(&self, all: &[Vec<u8>]) -> Vec<String> {
        let size = self.size();
        self.others(all)
            .filter_map(|(rank, message)| {
                let text = message.strip_prefix(&[FAILED])?;
                let text = String::from_utf8_lossy(text);
                Some(format!("process {rank} of {size} failed: {text}"))
            })
            .collect()
    }

    /// What the others say, with their ranks.
    fn others<'a>(&self, all: &'a [Vec<u8>]) -> impl Iterator<Item = (usize, &'a Vec<u8>)> {
        let own = self.rank();
        all.iter().enumerate().filter(move |(rank, _)| *rank != own)
    }

    /// What the others say, where it is not what a process says at `purpose`, or at its end.
    fn problems(&self, all: &[Vec<u8>], purpose: Option<&str>) -> Vec<String> {
        let failed = self.failures(all);
        if !failed.is_empty() {
            return failed;
        }
        let apart = self.others(all).filter_map(|(rank, message)| {
            let theirs = at(message);
            (theirs.as_deref() != purpose).then(|| {
                let own = purpose.unwrap_or("its end");
                let theirs = theirs.as_deref().unwrap_or("its end");
                format!(
                    "the processes went apart: process {} is at {own}, process {rank} at {theirs}; they must \
                     run the same program on the same files",
                    self.rank()
                )
            })
        });
        apart.take(1).collect()
    }
}

/// The purpose of a message; none of one at the end.
fn at(message: &[u8]) -> Option<String> {
    let [DATA, length, rest @ ..] = message else {
        return None;
    };
    let purpose = rest.get(..usize::from(*length))?;
    Some(String::from_utf8_lossy(purpose).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The second of two processes, whose other one says what it is given.
    struct Second(Vec<u8>);

    impl Processes for Second {
        fn rank(&self) -> usize {
            1
        }

        fn size(&self) -> usize {
            2
        }

        fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
            vec![self.0.clone(), own.to_vec()]
        }

        fn swap(&self, with: usize, _own: &[u8]) -> Vec<u8> {
            assert_eq!(with, 0);
            self.0.clone()
        }
    }

    fn beside(other: &[u8]) -> Group {
        Group::of(Box::new(Second(other.to_vec())))
    }

    #[test]
    fn blocks_of_shards_lie_side_by_side() {
        assert_eq!(Group::default().share(4), 0..4);
        assert_eq!(beside(b"").share(6), 3..6);
        let parts = [Group::default(), beside(b"")].map(|group| group.part().places(6));
        assert_eq!(parts, [0..6, 3..6]);
    }

    #[test]
    fn what_is_told_for_one_purpose_arrives_in_order() {
        let group = beside(b"\x00\x06step 1theirs");
        let heard = group.exchange("step 1", b"own").unwrap();
        assert_eq!(heard, [b"theirs".to_vec(), b"own".to_vec()]);
        let alone = Group::default().exchange("step 1", b"own").unwrap();
        assert_eq!(alone, [b"own".to_vec()]);
    }

    #[test]
    fn neighbours_tell_each_other_bytes_or_nothing() {
        let heard = beside(b"\x00theirs").swap(0, Some(b"own"));
        assert_eq!(heard, Some(b"theirs".to_vec()));
        assert_eq!(beside(b"\x01").swap(0, Some(b"own")), None);
        assert_eq!(Group::default().swap(0, Some(b"own")), None);
    }

    #[test]
    fn a_process_that_failed_or_is_elsewhere_ends_the_others() {
        let group = beside(b"\x01no space left");
        let told = group.exchange("step 1", b"").unwrap_err().to_string();
        assert_eq!(told, "process 0 of 2 failed: no space left");
        let still = group.stands().unwrap_err().to_string();
        assert_eq!(still, "process 0 of 2 failed: no space left");
        assert!(group.conclude(Ok(())).is_empty(), "it is known already");

        let told = beside(b"\x00\x06step 2").exchange("step 1", b"");
        let told = told.unwrap_err().to_string();
        assert!(
            told.contains("process 1 is at step 1, process 0 at step 2"),
            "{told}"
        );
        let told = beside(b"\x02").exchange("step 1", b"").unwrap_err();
        assert!(told.to_string().contains("process 0 at its end"), "{told}");

        assert!(beside(b"\x02").conclude(Ok(())).is_empty());
        let told = beside(b"\x01out of memory").conclude(Ok(()));
        assert_eq!(told, ["process 0 of 2 failed: out of memory"]);
        let told = beside(b"\x01no such file").conclude(Err("no such file".to_owned()));
        assert!(told.is_empty(), "one error is told");
        let told = beside(b"\x01no such file").conclude(Err("out of memory".to_owned()));
        assert_eq!(told, ["process 0 of 2 failed: no such file"]);
        let told = beside(b"\x00\x06step 2").conclude(Err("out of memory".to_owned()));
        assert!(told.is_empty(), "its own error says why");
    }

    #[test]
    fn shards_that_cannot_be_shared_out_are_told_with_a_number_that_can() {
        let group = beside(b"");
        assert!(group.check_shards(4, 32).is_ok());
        let told = group.check_shards(1, 32).unwrap_err();
        assert!(
            told.contains("2 processes cannot share out the 1 shard of")
                && told.contains("shards = 2"),
            "{told}"
        );
        let told = group.check_shards(3, 9).unwrap_err();
        assert!(
            told.contains("a multiple of 4") && told.contains("start 1 or 3"),
            "{told}"
        );
    }
}
