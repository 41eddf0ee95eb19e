//! Plugins that add up the steps that they saw, each with its own way to go wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use afterimage::PluginKind;
use afterimage::memory::UnitScores;
use afterimage::prelude::*;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Settings of all of them but one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    every: Every,
}

impl Default for Settings {
    fn default() -> Self {
        let every = Every::Always;
        Self { every }
    }
}

/// Settings that take every key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnySettings {
    #[serde(flatten)]
    rest: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Well,
    /// Reads what another provides.
    Reads,
    /// Says that it keeps nothing.
    Forgets,
    /// Does not take its state back.
    IsDeaf,
    /// Takes any state.
    IsCareless,
    /// Is never called.
    Idles,
    /// Declares what it does not do.
    Promises,
    /// Hangs on the panics of others.
    IsTouchy,
    /// Is an observer to those who ask, and none in a run.
    Meddles,
}

struct Sums {
    name: &'static str,
    way: Way,
    every: Every,
    sum: u64,
}

fn kind(name: &'static str, way: Way) -> PluginKind {
    let make = move |settings: Settings| Sums {
        name,
        way,
        every: settings.every,
        sum: 0,
    };
    PluginKind::new(name, "adds up steps", |_: &Settings, _| {}, make)
}

pub fn sums() -> PluginKind {
    kind("sums", Way::Well)
}
pub fn reader() -> PluginKind {
    kind("reader", Way::Reads)
}
pub fn forgetful() -> PluginKind {
    kind("forgetful", Way::Forgets)
}
pub fn deaf() -> PluginKind {
    kind("deaf", Way::IsDeaf)
}
pub fn careless() -> PluginKind {
    kind("careless", Way::IsCareless)
}
pub fn idle() -> PluginKind {
    kind("idle", Way::Idles)
}
pub fn promising() -> PluginKind {
    kind("promising", Way::Promises)
}
pub fn touchy() -> PluginKind {
    kind("touchy", Way::IsTouchy)
}
pub fn meddler() -> PluginKind {
    kind("meddler", Way::Meddles)
}
pub fn loose() -> PluginKind {
    let make = |settings: AnySettings| Sums {
        name: "loose",
        way: Way::Well,
        every: Every::Always,
        sum: settings.rest.len() as u64,
    };
    PluginKind::new("loose", "adds up steps", |_: &AnySettings, _| {}, make)
}

/// What `promising` declares.
#[derive(Serialize, Deserialize)]
struct Promise;

impl Resource for Promise {
    const NAME: &'static str = "test.promise";
}

static PANICS: AtomicU64 = AtomicU64::new(0);

fn in_a_run() -> bool {
    std::env::var_os("AFTERIMAGE_TESTKIT_WORDS").is_some()
}

impl Sums {
    fn add(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        self.sum += cx.clock().step;
        Ok(())
    }

    fn publish(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let name = self.name;
        cx.scalar(format!("{name}/sum"), self.sum as f64);
        self.sum = 0;
        if self.way == Way::Reads {
            let there = cx.resource::<UnitScores>()?.is_some();
            cx.scalar(format!("{name}/read"), f64::from(u8::from(there)));
        }
        if self.way == Way::IsTouchy {
            let panics = PANICS.load(Ordering::SeqCst) as f64;
            cx.scalar(format!("{name}/panics"), panics);
        }
        Ok(())
    }

    fn listen(&mut self, _: &mut RunStartCx<'_>) -> Result<(), Fault> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(info);
        }));
        Ok(())
    }

    fn meddle(&mut self, cx: &mut LossReadyCx<'_>) -> Result<(), Fault> {
        let losses = cx.per_sample.ok_or_else(|| Fault::new("no losses"))?;
        let half = Tensor::ones(losses.dims(), &losses.device()) * 0.5;
        cx.scale_loss(half)
    }
}

impl Plugin for Sums {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        if self.way == Way::Idles {
            d.on::<StepDone>(Every::steps::<1000>(), Self::add);
            return;
        }
        d.on::<StepDone>(self.every, Self::add)
            .on::<EpochEnd>(Every::Always, Self::publish);
        match self.way {
            Way::Reads => d.reads::<UnitScores>(),
            Way::Promises => d.provides::<Promise>(),
            Way::IsTouchy => d.on::<RunStart>(Every::Always, Self::listen),
            Way::Meddles if in_a_run() => d
                .writes(Write::LossWeights)
                .on::<LossReady>(Every::Always, Self::meddle),
            _ => d,
        };
    }

    fn state(&self) -> Result<PluginState, Fault> {
        match self.way {
            Way::Forgets => Ok(PluginState::none()),
            _ => PluginState::encode(1, &self.sum),
        }
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        match self.way {
            Way::Forgets => state.expect_none()?,
            Way::IsDeaf => {}
            Way::IsCareless => self.sum = state.decode(1).or_else(|_| state.decode(2))?,
            _ => self.sum = state.decode(1)?,
        }
        Ok(())
    }
}
