//! Threads that stand for the processes of a run.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use afterimage::train::{Group, Processes};

/// After so long a thread that tells nothing has gone apart from the others.
const PATIENCE: Duration = Duration::from_secs(300);

/// One of several threads, with a channel to each and from each.
struct Thread {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Receiver<Vec<u8>>>,
}

impl Thread {
    fn tell(&self, to: usize, own: &[u8]) {
        let told = self.to[to].send(own.to_vec());
        told.unwrap_or_else(|_| panic!("thread {to} ended before thread {}", self.rank));
    }

    fn hear(&self, from: usize) -> Vec<u8> {
        let heard = self.from[from].recv_timeout(PATIENCE);
        heard.unwrap_or_else(|why| panic!("thread {from} told {} nothing: {why}", self.rank))
    }
}

impl Processes for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        (0..self.size()).for_each(|to| self.tell(to, own));
        (0..self.size()).map(|from| self.hear(from)).collect()
    }

    fn swap(&self, with: usize, own: &[u8]) -> Vec<u8> {
        self.tell(with, own);
        self.hear(with)
    }
}

/// Lets `size` threads compute together; what each gave, in the order of their ranks.
///
/// They share the generator of the device, so that what they compute must draw nothing from it.
pub fn together<T: Send>(size: usize, compute: impl Fn(Group) -> T + Sync) -> Vec<T> {
    let (mut to, mut from) = (Vec::new(), Vec::new());
    to.resize_with(size, Vec::new);
    from.resize_with(size, Vec::new);
    for told in &mut to {
        for heard in &mut from {
            let (sender, receiver) = channel();
            told.push(sender);
            heard.push(receiver);
        }
    }
    let members = to.into_iter().zip(from).enumerate();
    thread::scope(|scope| {
        let started: Vec<_> = members
            .map(|(rank, (to, from))| {
                let member = Thread { rank, to, from };
                let compute = &compute;
                let thread = thread::Builder::new().stack_size(8 << 20);
                let run = move || compute(Group::of(Box::new(member)));
                thread.spawn_scoped(scope, run).unwrap()
            })
            .collect();
        let ended = started.into_iter().map(|thread| thread.join().unwrap());
        ended.collect()
    })
}
