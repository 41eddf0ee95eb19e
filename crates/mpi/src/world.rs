//! The processes of a job through MPI.

use std::mem::ManuallyDrop;

use afterimage_train::Processes;
use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::{Universe, initialize_with_threading, processor_name};
use mpi::point_to_point::send_receive_into;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _};

use crate::MpiError;

/// Bytes that are gathered at once; MPI counts them with 31 bits.
const AT_ONCE: usize = 1 << 28;

/// All processes that were started together.
pub(crate) struct World(SimpleCommunicator);

/// MPI's state, which must outlive every message. It is not ended when it is dropped, as in a panic:
/// MPI's end waits for all processes.
pub(crate) struct Handle(ManuallyDrop<Universe>);

impl World {
    /// Starts MPI.
    pub(crate) fn begin() -> Result<(Self, Handle), MpiError> {
        let failed = |why: &str| MpiError::Start(why.to_owned());
        // The loop speaks from its own thread alone, beside those that compute.
        let (universe, threading) = initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| failed("it was started before"))?;
        let world = universe.world();
        let handle = Handle(ManuallyDrop::new(universe));
        if threading == Threading::Single {
            return Err(failed("the library knows no threads"));
        }
        Ok((Self(world), handle))
    }

    /// The name of this process's machine.
    pub(crate) fn machine(&self) -> String {
        processor_name().unwrap_or_default()
    }

    fn sizes(&self, own: usize) -> Vec<usize> {
        let mut sizes = vec![0_u64; self.size()];
        self.0.all_gather_into(&(own as u64), &mut sizes[..]);
        sizes.into_iter().map(|size| size as usize).collect()
    }
}

impl Processes for World {
    fn rank(&self) -> usize {
        self.0.rank().unsigned_abs() as usize
    }

    fn size(&self) -> usize {
        self.0.size().unsigned_abs() as usize
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        let sizes = self.sizes(own.len());
        let longest = sizes.iter().copied().max().unwrap_or(0);
        let piece = (AT_ONCE / self.size().max(1)).max(1);
        let mut all: Vec<Vec<u8>> = sizes.iter().map(|&size| Vec::with_capacity(size)).collect();
        for from in (0..longest).step_by(piece) {
            let within = |size: usize| size.clamp(from, from + piece) - from;
            let counts: Vec<i32> = sizes.iter().map(|&size| within(size) as i32).collect();
            let places: Vec<i32> = counts
                .iter()
                .scan(0, |next, count| {
                    let place = *next;
                    *next += count;
                    Some(place)
                })
                .collect();
            let mut received = vec![0_u8; counts.iter().sum::<i32>().unsigned_abs() as usize];
            let sent = &own[from.min(own.len())..(from + piece).min(own.len())];
            let mut parts = PartitionMut::new(&mut received[..], &counts[..], &places[..]);
            self.0.all_gather_varcount_into(sent, &mut parts);
            let mut rest = &received[..];
            for (whole, count) in all.iter_mut().zip(counts) {
                let (part, behind) = rest.split_at(count.unsigned_abs() as usize);
                whole.extend_from_slice(part);
                rest = behind;
            }
        }
        all
    }

    fn swap(&self, with: usize, own: &[u8]) -> Vec<u8> {
        let other = self.0.process_at_rank(with as i32);
        let mut theirs = 0_u64;
        send_receive_into(&(own.len() as u64), &other, &mut theirs, &other);
        let mut received = vec![0_u8; theirs as usize];
        for from in (0..own.len().max(received.len())).step_by(AT_ONCE) {
            let within = |len: usize| from.min(len)..(from + AT_ONCE).min(len);
            let (sent, into) = (&own[within(own.len())], within(received.len()));
            send_receive_into(sent, &other, &mut received[into], &other);
        }
        received
    }
}

impl Handle {
    /// Ends MPI in order; all processes do.
    pub(crate) fn leave(self) {
        drop(ManuallyDrop::into_inner(self.0));
    }

    /// Ends all processes at once.
    pub(crate) fn abort(self, code: u8) -> ! {
        self.0.world().abort(code.into())
    }
}
