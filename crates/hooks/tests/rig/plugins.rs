//! Plugins to attach: one that logs, one that does anything, a provider and a reader.

use std::sync::{Arc, Mutex};

use afterimage_hooks::{
    Attached, BatchPlanned, BatchPlannedCx, BatchReady, BatchReadyCx, Declare, EpochEnd,
    EpochEndCx, EpochStart, EpochStartCx, Every, Fault, GradReady, GradReadyCx, LossReady,
    LossReadyCx, Plugin, PluginState, Resource, RunStart, RunStartCx, SiteKind, StepDone,
    StepDoneCx, TapSpec,
};
use serde::{Deserialize, Serialize};

use super::Rig;

pub type Log = Arc<Mutex<Vec<String>>>;

pub fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

/// Writes its name and the step into a log that outlives it.
pub struct Logger {
    pub name: &'static str,
    pub every: Every,
    pub after: Option<&'static str>,
    pub log: Log,
}

impl Logger {
    pub fn attach(name: &'static str, every: Every, log: &Log) -> Attached {
        let log = Arc::clone(log);
        Attached::new(
            name,
            "logger",
            Self {
                name,
                every,
                after: None,
                log,
            },
        )
    }

    pub fn note(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let line = format!("{}{}", self.name, cx.clock().step);
        self.log.lock().unwrap().push(line);
        cx.scalar("noted", 1.0);
        Ok(())
    }

    pub fn note_epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let line = format!("{}:epoch{}", self.name, cx.clock().epoch);
        self.log.lock().unwrap().push(line);
        Ok(())
    }
}

impl Plugin for Logger {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(self.every, Self::note)
            .on::<EpochEnd>(self.every, Self::note_epoch);
        if let Some(other) = self.after {
            d.after(other);
        }
    }
    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }
    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

/// Does one thing at one event, declared or not.
pub struct Doer<E: Loudly> {
    pub act: fn(&mut E::Context<'_>) -> Result<(), Fault>,
    pub declare: fn(&mut Declare<'_, Self>),
}

/// An event at which a `Doer` can act.
pub trait Loudly: 'static {
    type Context<'a>;
    fn subscribe(d: &mut Declare<'_, Doer<Self>>)
    where
        Self: Sized;
}

macro_rules! loudly {
    ($($event:ident $cx:ident),*) => { $(
        impl Loudly for $event {
            type Context<'a> = $cx<'a>;
            fn subscribe(d: &mut Declare<'_, Doer<Self>>) {
                d.on::<$event>(Every::Always, |doer, cx| (doer.act)(cx));
            }
        }
    )* };
}

loudly!(
    RunStart RunStartCx,
    EpochStart EpochStartCx,
    BatchPlanned BatchPlannedCx,
    BatchReady BatchReadyCx,
    LossReady LossReadyCx,
    GradReady GradReadyCx,
    StepDone StepDoneCx
);

impl<E: Loudly> Plugin for Doer<E> {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        E::subscribe(d);
        (self.declare)(d);
    }
    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }
    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

pub fn doer<E: Loudly>(
    declare: fn(&mut Declare<'_, Doer<E>>),
    act: fn(&mut E::Context<'_>) -> Result<(), Fault>,
) -> Attached {
    Attached::new("doer", "doer", Doer::<E> { act, declare })
}

/// A number that one plugin provides and another reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Total(pub f64);

impl Resource for Total {
    const NAME: &'static str = "test.total";
}

/// Provides the number of steps that it saw, every second step, and keeps count in between.
#[derive(Default)]
pub struct Provider(u64);

impl Provider {
    pub fn count(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        self.0 += 1;
        if cx.clock().step.is_multiple_of(2) {
            cx.provide(Total(self.0 as f64))?;
        }
        Ok(())
    }
}

impl Plugin for Provider {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(Every::Always, Self::count)
            .provides::<Total>();
    }
    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.0)
    }
    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.0 = state.decode(1)?;
        Ok(())
    }
}

/// Keeps everything that it read; asks for a tap when the run starts.
#[derive(Default)]
pub struct Reader(Vec<Option<f64>>);

impl Reader {
    pub fn tap(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        cx.register_tap(TapSpec::units("encoder.*").kind(SiteKind::Activation));
        Ok(())
    }

    pub fn read(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        self.0.push(cx.resource::<Total>()?.map(|total| total.0));
        let last = self.0.last().copied().flatten().unwrap_or(f64::NAN);
        cx.scalar("total", last);
        Ok(())
    }
}

impl Plugin for Reader {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::tap)
            .on::<StepDone>(Every::Always, Self::read)
            .reads::<Total>();
    }
    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(2, &self.0)
    }
    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.0 = state.decode(2)?;
        Ok(())
    }
}

pub fn counting() -> Vec<Attached> {
    vec![
        Attached::new("read", "reader", Reader::default()),
        Attached::new("count", "provider", Provider::default()),
    ]
}

pub fn failing(act: fn(&mut StepDoneCx<'_>) -> Result<(), Fault>) -> (Rig, Log) {
    let log = Log::default();
    let rig = Rig::new(vec![
        Logger::attach("before", Every::Always, &log),
        doer::<StepDone>(|_| {}, act),
        Logger::attach("after", Every::Always, &log),
    ]);
    (rig, log)
}
