//! Probes whose passes several processes share out, each of them a thread here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use afterimage_hooks::{
    Fault, ModelView, Observation, Peers, SampleId, Site, Split, TapMode, TapPlan, TapSpec,
};
use afterimage_memory::{Alignment, AlignmentProbe, Distance, Form, Measured, Pairs, Probe};
use burn::tensor::Tensor;
use rig::{Linear, Noise};

const SAMPLES: Noise = Noise {
    train: 40,
    held_out: 30,
};

/// One of several processes: it sends to all of them, itself too, and hears all.
struct Process {
    rank: usize,
    model: Linear,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Receiver<Vec<u8>>>,
    /// The pass at which its pictures are gone, counted over its own.
    gone: Option<usize>,
}

impl Peers for Process {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange(&self, _: &str, own: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        self.to
            .iter()
            .for_each(|other| other.send(own.to_vec()).unwrap());
        Ok(self
            .from
            .iter()
            .map(|other| other.recv().unwrap())
            .collect())
    }
}

impl ModelView for Process {
    fn sites(&self) -> &[Site] {
        self.model.sites()
    }

    fn observe(&self, images: Tensor<4>, taps: &TapPlan) -> Result<Observation, Fault> {
        if self.gone == Some(self.model.forwards.lock().unwrap().len()) {
            return Err(Fault::new("its pictures are gone"));
        }
        self.model.observe(images, taps)
    }

    fn peers(&self) -> Option<&dyn Peers> {
        Some(self)
    }
}

/// What `work` gives in each of `size` processes, and how many passes each computed; `gone` is a process and the
/// pass at which it has no pictures.
fn together<T: Send>(
    size: usize,
    gone: Option<(usize, usize)>,
    work: impl Fn(&Process) -> T + Sync,
) -> Vec<(T, usize)> {
    let mut senders: Vec<Vec<Sender<Vec<u8>>>> = (0..size).map(|_| Vec::new()).collect();
    let mut receivers: Vec<Vec<Receiver<Vec<u8>>>> = (0..size).map(|_| Vec::new()).collect();
    for from in &mut senders {
        for to in &mut receivers {
            let (sender, receiver) = channel();
            from.push(sender);
            to.push(receiver);
        }
    }
    thread::scope(|scope| {
        let processes: Vec<_> = senders
            .into_iter()
            .zip(receivers)
            .enumerate()
            .map(|(rank, (to, from))| {
                let work = &work;
                scope.spawn(move || {
                    let process = Process {
                        rank,
                        model: Linear::new(1),
                        to,
                        from,
                        gone: gone.filter(|(who, _)| *who == rank).map(|(_, pass)| pass),
                    };
                    let result = work(&process);
                    let passes = process.model.forwards.lock().unwrap().len();
                    (result, passes)
                })
            })
            .collect();
        processes
            .into_iter()
            .map(|process| process.join().unwrap())
            .collect()
    })
}

fn ids() -> Vec<SampleId> {
    (0..14).map(SampleId).collect()
}

fn measured(model: &dyn ModelView) -> Result<Vec<Measured>, Fault> {
    let probe = Probe {
        tap: TapSpec {
            pattern: "*".to_owned(),
            kinds: Vec::new(),
            mode: TapMode::Read(afterimage_hooks::Reduce::MeanSpaceRelu),
        },
        form: Form::Paper,
        views: 3,
        batch: 4,
    };
    probe.measure(model, &SAMPLES, Split::Train, &ids())
}

fn distances(model: &dyn ModelView) -> Result<Vec<Vec<Alignment>>, Fault> {
    let probe = AlignmentProbe {
        sites: "*".to_owned(),
        kinds: Vec::new(),
        skip: Vec::new(),
        views: 3,
        batch: 4,
        distance: Distance::default(),
        pairs: Pairs::Views,
    };
    let reference = Linear::new(2);
    probe.measure(&[model, &reference], &SAMPLES, Split::Train, &ids())
}

#[test]
fn every_process_has_what_one_would_have() {
    let alone = measured(&Linear::new(1)).unwrap();
    let alone_distances = distances(&Linear::new(1)).unwrap();
    // Four passes: shared out evenly, unevenly, and among more processes than there are passes.
    for (size, passes) in [
        (2, vec![2, 2]),
        (3, vec![2, 1, 1]),
        (5, vec![1, 1, 1, 1, 0]),
    ] {
        let all = together(size, None, |process| measured(process).unwrap());
        assert!(all.iter().all(|(own, _)| *own == alone), "{size}");
        assert_eq!(
            all.iter().map(|(_, passes)| *passes).collect::<Vec<_>>(),
            passes
        );
        let all = together(size, None, |process| distances(process).unwrap());
        assert!(all.iter().all(|(own, _)| *own == alone_distances), "{size}");
    }
}

#[test]
fn pictures_that_one_process_lacks_are_the_fault_of_all() {
    let all = together(2, Some((1, 1)), |process| {
        measured(process).unwrap_err().to_string()
    });
    for (told, _) in all {
        assert_eq!(told, "its pictures are gone");
    }
}
