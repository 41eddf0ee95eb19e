//! Delivery of events: order, cadence, faults kept inside, costs, taps, and the way back from a
//! checkpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use afterimage_hooks::{
    Attached, BatchPlanned, BatchPlannedCx, BatchReady, BatchReadyCx, Clock, Declare, Desk,
    EpochEnd, EpochEndCx, EpochStart, EpochStartCx, EventKind, Every, Fault, GradReady,
    GradReadyCx, Gradients, Hooks, HooksError, HooksState, Host, HostReadings, LossReady,
    LossReadyCx, LossWrites, ModelView, Observation, OnFault, Plan, Plugin, PluginState, Readings,
    Request, RequestKind, Resource, RunInfo, RunStart, RunStartCx, SampleId, Scope, Site, SiteKind,
    StepDone, StepDoneCx, StopRun, TapMode, TapPlan, TapSpec, Write,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

struct NoModel;

impl ModelView for NoModel {
    fn sites(&self) -> &[Site] {
        &[]
    }
    fn observe(&self, _images: Tensor<4>, _taps: &TapPlan) -> Result<Observation, Fault> {
        Err(Fault::new("nothing to observe"))
    }
}

struct NoGradients;

impl Gradients for NoGradients {
    fn paths(&self) -> Vec<String> {
        Vec::new()
    }
    fn get(&self, _path: &str) -> Option<Tensor<1>> {
        None
    }
    fn set(&mut self, _path: &str, _gradient: Tensor<1>) -> bool {
        false
    }
}

fn sites() -> Vec<Site> {
    ["encoder.conv", "encoder.act"]
        .iter()
        .zip([SiteKind::Conv, SiteKind::Activation])
        .map(|(name, kind)| Site {
            name: (*name).to_owned(),
            kind,
            units: 4,
            produced_by: Vec::new(),
            consumed_by: Vec::new(),
        })
        .collect()
}

fn host() -> Host {
    Host {
        requests: BTreeSet::from([RequestKind::Stop, RequestKind::SetPlan]),
        sites: sites(),
        ..Host::default()
    }
}

/// Two steps an epoch, three epochs.
fn clock(step: u64) -> Clock {
    Clock {
        epoch: step.div_ceil(2) as u32,
        step,
        epochs: 3,
        steps: 6,
    }
}

const IDS: [SampleId; 2] = [SampleId(4), SampleId(1)];

/// A run without a network: it makes contexts and fires events.
struct Rig {
    run: RunInfo,
    desk: Desk,
    hooks: Hooks,
}

impl Rig {
    fn new(plugins: Vec<Attached>) -> Self {
        let mut desk = Desk::default();
        let hooks = Hooks::new(plugins, &host(), &mut desk.resources)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let run = RunInfo {
            seed: 5,
            config: String::new(),
            sites: sites(),
            parameters: Vec::new(),
            batch_size: 2,
            views: 2,
            train_samples: 8,
            held_out_samples: 8,
        };
        Self { run, desk, hooks }
    }

    fn run_start(&mut self) -> Result<(), StopRun> {
        let at = clock(0);
        let mut taps = Vec::new();
        let mut cx = RunStartCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            model: &NoModel,
            samples: None,
            taps: &mut taps,
        };
        self.hooks.fire::<RunStart>(&at, &mut cx)?;
        self.hooks.register_taps(taps);
        Ok(())
    }

    fn epoch_start(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let plan = Plan::uniform(IDS.to_vec());
        let mut cx = EpochStartCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            plan: &plan,
        };
        self.hooks.fire::<EpochStart>(&at, &mut cx)
    }

    fn batch_planned(&mut self, step: u64, batch: &mut Plan) -> Result<(), StopRun> {
        let at = clock(step);
        let scope = Scope::new(at, &self.run, &mut self.desk);
        self.hooks
            .fire::<BatchPlanned>(&at, &mut BatchPlannedCx::new(scope, batch))
    }

    fn batch_ready(&mut self, step: u64, views: Option<&mut Tensor<4>>) -> Result<(), StopRun> {
        let at = clock(step);
        let scope = Scope::new(at, &self.run, &mut self.desk);
        self.hooks
            .fire::<BatchReady>(&at, &mut BatchReadyCx::new(scope, &IDS, views))
    }

    fn loss_ready(
        &mut self,
        step: u64,
        per_sample: Option<&Tensor<1>>,
    ) -> Result<LossWrites, StopRun> {
        let at = clock(step);
        let mut writes = LossWrites::default();
        let scope = Scope::new(at, &self.run, &mut self.desk);
        let mut cx = LossReadyCx::new(scope, &IDS, per_sample, &mut writes);
        self.hooks.fire::<LossReady>(&at, &mut cx)?;
        Ok(writes)
    }

    fn grad_ready(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let (mut gradients, saliency) = (NoGradients, Readings::default());
        let scope = Scope::new(at, &self.run, &mut self.desk);
        let mut cx = GradReadyCx::new(scope, &IDS, &mut gradients, &saliency);
        self.hooks.fire::<GradReady>(&at, &mut cx)
    }

    fn step(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let fetched = HostReadings::default();
        let mut cx = StepDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids: &IDS,
            views: 2,
            loss: Some(1.0),
            per_sample_loss: None,
            fetched: &fetched,
            model: &NoModel,
        };
        self.hooks.fire::<StepDone>(&at, &mut cx)
    }

    fn epoch_end(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let mut cx = EpochEndCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            loss: Some(1.0),
            model: &NoModel,
            samples: None,
        };
        self.hooks.fire::<EpochEnd>(&at, &mut cx)
    }

    fn save(&self) -> HooksState {
        self.hooks
            .state(&self.desk.resources)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    fn restore(&mut self, state: HooksState) -> Result<(), HooksError> {
        self.hooks.restore(state, &mut self.desk.resources)
    }

    /// The text of the one fault since the last call.
    fn fault(&mut self) -> String {
        let faults = self.hooks.drain_faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].what.clone()
    }
}

type Log = Arc<Mutex<Vec<String>>>;

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

/// Writes its name and the step into a log that outlives it.
struct Logger {
    name: &'static str,
    every: Every,
    after: Option<&'static str>,
    log: Log,
}

impl Logger {
    fn attach(name: &'static str, every: Every, log: &Log) -> Attached {
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

    fn note(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let line = format!("{}{}", self.name, cx.clock().step);
        self.log.lock().unwrap().push(line);
        cx.scalar("noted", 1.0);
        Ok(())
    }

    fn note_epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
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
struct Doer<E: Loudly> {
    act: fn(&mut E::Context<'_>) -> Result<(), Fault>,
    declare: fn(&mut Declare<'_, Self>),
}

/// An event at which a [`Doer`] can act.
trait Loudly: 'static {
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

fn doer<E: Loudly>(
    declare: fn(&mut Declare<'_, Doer<E>>),
    act: fn(&mut E::Context<'_>) -> Result<(), Fault>,
) -> Attached {
    Attached::new("doer", "doer", Doer::<E> { act, declare })
}

/// A number that one plugin provides and another reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Total(f64);

impl Resource for Total {
    const NAME: &'static str = "test.total";
}

/// Provides the number of steps that it saw, every second step, and keeps count in between.
#[derive(Default)]
struct Provider(u64);

impl Provider {
    fn count(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
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
struct Reader(Vec<Option<f64>>);

impl Reader {
    fn tap(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        cx.register_tap(TapSpec::units("encoder.*").kind(SiteKind::Activation));
        Ok(())
    }

    fn read(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
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

fn counting() -> Vec<Attached> {
    vec![
        Attached::new("read", "reader", Reader::default()),
        Attached::new("count", "provider", Provider::default()),
    ]
}

/// Bytes through which a checkpoint goes.
fn through_bytes(state: &HooksState) -> HooksState {
    postcard::from_bytes(&postcard::to_stdvec(state).unwrap()).unwrap()
}

#[test]
fn handlers_are_called_in_order_and_by_cadence() -> Result<(), StopRun> {
    let log = Log::default();
    let late = Attached::new(
        "a",
        "logger",
        Logger {
            name: "a",
            every: Every::Always,
            after: Some("c"),
            log: Arc::clone(&log),
        },
    );
    let mut rig = Rig::new(vec![
        late,
        Logger::attach("b", Every::Steps(2), &log),
        Logger::attach("c", Every::Epochs(3), &log),
    ]);
    let order: Vec<&str> = rig.hooks.manifests().map(|m| m.id.as_str()).collect();
    assert_eq!(order, ["b", "c", "a"]);
    for step in 1..=6 {
        rig.step(step)?;
    }
    assert_eq!(
        taken(&log),
        ["a1", "b2", "a2", "a3", "b4", "a4", "c5", "a5", "b6", "c6", "a6"]
    );
    rig.epoch_end(2)?;
    rig.epoch_end(6)?;
    assert_eq!(
        taken(&log),
        ["b:epoch1", "a:epoch1", "b:epoch3", "c:epoch3", "a:epoch3"]
    );
    assert!(!rig.hooks.is_due::<BatchPlanned>(&clock(1)));
    assert!(rig.hooks.is_due::<StepDone>(&clock(1)));
    Ok(())
}

#[test]
fn records_carry_their_author() -> Result<(), StopRun> {
    let log = Log::default();
    let mut rig = Rig::new(vec![
        Logger::attach("a", Every::Always, &log),
        Logger::attach("b", Every::Always, &log),
    ]);
    rig.step(3)?;
    let records: Vec<_> = rig
        .desk
        .recorder
        .drain()
        .into_iter()
        .map(|r| (r.author, r.epoch, r.step))
        .collect();
    assert_eq!(records, [("a".into(), 2, 3), ("b".into(), 2, 3)]);
    Ok(())
}

#[test]
fn what_is_not_declared_is_a_fault_and_changes_nothing() -> Result<(), StopRun> {
    let device = Device::flex();

    let mut rig = Rig::new(vec![doer::<BatchPlanned>(
        |_| {},
        |cx| cx.set_batch(Plan::uniform(vec![SampleId(7), SampleId(7)])),
    )]);
    let mut batch = Plan::uniform(IDS.to_vec());
    rig.batch_planned(1, &mut batch)?;
    assert_eq!(batch.ids(), IDS);
    assert_eq!(
        rig.fault(),
        r#"plugin "doer" failed at BatchPlanned in step 1: the batch may be written only by a plugin that declares `.writes(Write::Batch)`"#
    );

    let mut rig = Rig::new(vec![doer::<BatchReady>(
        |_| {},
        |cx| {
            let other = cx.views().ok_or_else(|| Fault::new("no views"))?.clone() + 1.0;
            cx.set_views(other)
        },
    )]);
    let mut views = Tensor::<4>::zeros([4, 1, 2, 2], &device);
    rig.batch_ready(1, Some(&mut views))?;
    assert_eq!(views.sum().into_scalar::<f32>(), 0.0);
    assert!(rig.fault().contains("`.writes(Write::Views)`"));

    let mut rig = Rig::new(vec![doer::<LossReady>(
        |_| {},
        |cx| cx.scale_loss(Tensor::zeros([2], &Device::flex())),
    )]);
    let per_sample = Tensor::<1>::ones([2], &device);
    assert!(rig.loss_ready(1, Some(&per_sample))?.weights.is_none());
    assert!(rig.fault().contains("`.writes(Write::LossWeights)`"));

    let mut rig = Rig::new(vec![doer::<LossReady>(
        |_| {},
        |cx| cx.add_term("extra", Tensor::zeros([1], &Device::flex())),
    )]);
    assert!(rig.loss_ready(1, None)?.terms.is_empty());
    assert!(rig.fault().contains("`.writes(Write::LossTerms)`"));

    let mut rig = Rig::new(vec![doer::<GradReady>(
        |_| {},
        |cx| cx.gradients_mut().map(|_| ()),
    )]);
    rig.grad_ready(1)?;
    assert!(rig.fault().contains("`.writes(Write::Gradients)`"));

    let mut rig = Rig::new(vec![doer::<StepDone>(|_| {}, |cx| cx.stop("enough"))]);
    rig.step(1)?;
    assert!(rig.desk.requests.is_empty());
    assert!(rig.fault().contains(
        "request stop is not declared; add `.requests(RequestKind::Stop)` to the manifest"
    ));

    let mut rig = Rig::new(vec![doer::<EpochStart>(
        |_| {},
        |cx| cx.set_plan(Plan::uniform(Vec::new())),
    )]);
    rig.epoch_start(1)?;
    assert!(rig.desk.requests.is_empty());
    assert!(rig.fault().contains("request set_plan is not declared"));

    let mut rig = Rig::new(vec![doer::<StepDone>(
        |_| {},
        |cx| cx.resource::<Total>().map(|_| ()),
    )]);
    rig.step(1)?;
    assert!(
        rig.fault()
            .contains("\"test.total\" is read but not declared")
    );

    let mut rig = Rig::new(vec![doer::<StepDone>(|_| {}, |cx| cx.provide(Total(1.0)))]);
    rig.step(1)?;
    assert!(rig.desk.resources.get::<Total>().is_none());
    assert!(
        rig.fault()
            .contains("\"test.total\" is provided but not declared")
    );
    Ok(())
}

#[test]
fn what_is_declared_takes_effect() -> Result<(), StopRun> {
    let mut rig = Rig::new(vec![doer::<BatchPlanned>(
        |d| {
            d.writes(Write::Batch);
        },
        |cx| {
            let mut ids = cx.batch().ids().to_vec();
            ids.reverse();
            cx.set_batch(Plan::uniform(ids))
        },
    )]);
    let mut batch = Plan::uniform(IDS.to_vec());
    rig.batch_planned(1, &mut batch)?;
    assert_eq!(batch.ids(), [IDS[1], IDS[0]]);

    let mut rig = Rig::new(vec![doer::<StepDone>(
        |d| {
            d.requests(RequestKind::Stop);
        },
        |cx| cx.stop("enough"),
    )]);
    rig.step(1)?;
    assert_eq!(rig.desk.requests.len(), 1);
    assert_eq!(rig.desk.requests[0].plugin, "doer");
    assert_eq!(
        rig.desk.requests[0].request,
        Request::Stop {
            reason: "enough".into()
        }
    );

    let double = |id: &str, after: Option<&str>| {
        let plugin = Doer::<LossReady> {
            act: |cx| cx.scale_loss(Tensor::ones([2], &Device::flex()) * 2.0),
            declare: |d| {
                d.writes(Write::LossWeights);
            },
        };
        Attached::new(id, "doer", plugin).after(after.map(str::to_owned))
    };
    let mut rig = Rig::new(vec![double("a", None), double("b", Some("a"))]);
    let per_sample = Tensor::<1>::ones([2], &Device::flex());
    let weights = rig.loss_ready(1, Some(&per_sample))?.weights;
    assert_eq!(
        weights.map(|w| w.sum().into_scalar::<f32>()),
        Some(8.0),
        "weights of several plugins multiply"
    );
    Ok(())
}

#[test]
fn writes_of_a_wrong_shape_stop_an_intervention() {
    let mut rig = Rig::new(vec![doer::<BatchPlanned>(
        |d| {
            d.writes(Write::Batch);
        },
        |cx| cx.set_batch(Plan::uniform(vec![SampleId(1)])),
    )]);
    let mut batch = Plan::uniform(IDS.to_vec());
    let stop = rig.batch_planned(3, &mut batch).unwrap_err();
    assert_eq!(
        stop.to_string(),
        r#"plugin "doer" failed at BatchPlanned in step 3: a batch keeps its size; got 1 samples in place of 2"#
    );
    assert_eq!(batch.ids(), IDS);

    let mut rig = Rig::new(vec![doer::<LossReady>(
        |d| {
            d.writes(Write::LossWeights);
        },
        |cx| cx.scale_loss(Tensor::ones([2], &Device::flex())),
    )]);
    let stop = rig.loss_ready(1, None).unwrap_err();
    assert!(stop.to_string().contains("no per-sample loss"), "{stop}");
}

fn failing(act: fn(&mut StepDoneCx<'_>) -> Result<(), Fault>) -> (Rig, Log) {
    let log = Log::default();
    let rig = Rig::new(vec![
        Logger::attach("before", Every::Always, &log),
        doer::<StepDone>(|_| {}, act),
        Logger::attach("after", Every::Always, &log),
    ]);
    (rig, log)
}

#[test]
fn a_broken_observer_is_switched_off_and_the_run_goes_on() -> Result<(), StopRun> {
    let by_error: fn(&mut StepDoneCx<'_>) -> Result<(), Fault> = |_| Err(Fault::new("oh no"));
    let by_panic: fn(&mut StepDoneCx<'_>) -> Result<(), Fault> = |_| panic!("oh no");
    for (act, words) in [(by_error, "oh no"), (by_panic, "panicked: oh no")] {
        let (mut rig, log) = failing(act);
        rig.step(1)?;
        rig.step(2)?;
        assert_eq!(taken(&log), ["before1", "after1", "before2", "after2"]);
        assert_eq!(rig.hooks.disabled(), ["doer"]);
        let faults = rig.hooks.drain_faults();
        assert_eq!(faults.len(), 1, "once, although two steps went by");
        assert_eq!(
            (faults[0].epoch, faults[0].step, faults[0].plugin.as_str()),
            (1, 1, "doer")
        );
        assert_eq!(faults[0].kind, "disable_plugin");
        assert_eq!(
            faults[0].what,
            format!("plugin \"doer\" failed at StepDone in step 1: {words}")
        );
        assert_eq!(rig.hooks.drain_faults(), []);
        assert!(
            rig.desk
                .recorder
                .drain()
                .iter()
                .all(|r| r.author != "doer" && r.author != "loop"),
            "the caller is reset after a panic"
        );
    }
    Ok(())
}

#[test]
fn a_broken_intervention_stops_the_run() {
    let log = Log::default();
    let broken = doer::<StepDone>(
        |d| {
            d.requests(RequestKind::Stop);
        },
        |_| panic!("lost {}", 3),
    );
    let mut rig = Rig::new(vec![
        Logger::attach("before", Every::Always, &log),
        broken,
        Logger::attach("after", Every::Always, &log),
    ]);
    let stop = rig.step(4).unwrap_err();
    assert_eq!(
        (stop.plugin.as_str(), stop.event, stop.step),
        ("doer", EventKind::StepDone, 4)
    );
    assert_eq!(
        stop.to_string(),
        r#"plugin "doer" failed at StepDone in step 4: panicked: lost 3"#
    );
    assert_eq!(taken(&log), ["before4"]);
    assert!(rig.hooks.disabled().is_empty());
}

#[test]
fn plugin_and_user_override_the_fault_policy() {
    fn fail(_: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        Err(Fault::new("no"))
    }
    let observer = || doer::<StepDone>(|_| {}, fail);
    let strict = || {
        doer::<StepDone>(
            |d| {
                d.on_fault(OnFault::Stop);
            },
            fail,
        )
    };
    let lenient = || {
        doer::<StepDone>(
            |d| {
                d.on_fault(OnFault::Disable).writes(Write::Views);
            },
            fail,
        )
    };
    for (attached, stops) in [
        (observer(), false),
        (strict(), true),
        (lenient(), false),
        (observer().on_fault(OnFault::Stop), true),
        (strict().on_fault(OnFault::Disable), false),
        (lenient().on_fault(OnFault::Stop), true),
    ] {
        let mut rig = Rig::new(vec![attached]);
        assert_eq!(rig.step(1).is_err(), stops);
        assert_eq!(rig.hooks.disabled().is_empty(), stops);
    }
}

#[test]
fn calls_and_time_are_counted_by_plugin_and_event() -> Result<(), StopRun> {
    let log = Log::default();
    let slow = doer::<StepDone>(
        |_| {},
        |_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            Ok(())
        },
    );
    let mut rig = Rig::new(vec![slow, Logger::attach("b", Every::Steps(2), &log)]);
    for step in 1..=2 {
        rig.step(step)?;
    }
    rig.epoch_end(2)?;
    let calls: Vec<_> = rig
        .hooks
        .costs()
        .iter()
        .map(|(plugin, event, cost)| (plugin.to_owned(), event, cost.calls))
        .collect();
    assert_eq!(
        calls,
        [
            ("doer".to_owned(), EventKind::StepDone, 2),
            ("b".to_owned(), EventKind::StepDone, 1),
            ("b".to_owned(), EventKind::EpochEnd, 1),
        ]
    );
    let by_plugin = rig.hooks.costs().by_plugin();
    assert!(by_plugin["doer"].as_millis() >= 40);
    let over = rig
        .hooks
        .costs()
        .over(0.5, by_plugin["doer"] + by_plugin["b"]);
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].0, "doer");
    assert!(over[0].1 > 0.5 && over[0].1 <= 1.0);
    Ok(())
}

#[test]
fn a_run_that_was_killed_goes_on_as_if_it_was_not() {
    let straight = {
        let mut rig = Rig::new(counting());
        rig.run_start().unwrap();
        for step in 1..=6 {
            rig.step(step).unwrap();
        }
        rig.save()
    };
    for killed_after in 1..6 {
        let mut first = Rig::new(counting());
        first.run_start().unwrap();
        for step in 1..=killed_after {
            first.step(step).unwrap();
        }
        let mut second = Rig::new(counting());
        second.restore(through_bytes(&first.save())).unwrap();
        assert_eq!(
            second.hooks.taps(&clock(1), &sites()),
            first.hooks.taps(&clock(1), &sites())
        );
        for step in killed_after + 1..=6 {
            second.step(step).unwrap();
        }
        assert_eq!(second.save(), straight, "killed after step {killed_after}");
        let last = second.desk.recorder.latest()["total"];
        assert_eq!(last, (6, 6.0));
    }
}

#[test]
fn a_resource_is_there_before_its_provider_runs_again() -> Result<(), StopRun> {
    let mut first = Rig::new(counting());
    first.step(2)?;
    let mut second = Rig::new(counting());
    second
        .restore(first.save())
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(second.desk.resources.get::<Total>(), Some(&Total(1.0)));
    second.step(3)?;
    assert_eq!(second.desk.recorder.latest()["total"], (3, 1.0));
    Ok(())
}

#[test]
fn another_set_of_plugins_is_refused() {
    let state = Rig::new(counting()).save();
    let mut fewer = Rig::new(vec![Attached::new(
        "count",
        "provider",
        Provider::default(),
    )]);
    assert_eq!(
        fewer.restore(state.clone()).unwrap_err().to_string(),
        "the checkpoint was written with other plugins: the checkpoint has [\"count\" (provider), \
         \"read\" (reader)], this run has [\"count\" (provider)]; resume with the config that \
         wrote it, or start a new run"
    );
    let mut renamed = Rig::new(vec![
        Attached::new("read", "reader", Reader::default()),
        Attached::new("count2", "provider", Provider::default()),
    ]);
    assert!(renamed.restore(state).is_err());
}

/// The same state with the array of numbers at `pointer` cut to its first half.
fn torn(state: &HooksState, pointer: &str) -> HooksState {
    let mut json = serde_json::to_value(state).unwrap();
    let bytes = json.pointer_mut(pointer).unwrap().as_array_mut().unwrap();
    assert!(!bytes.is_empty());
    bytes.truncate(bytes.len() / 2);
    serde_json::from_value(json).unwrap()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text
}

#[test]
fn damaged_bytes_are_refused() {
    let mut rig = Rig::new(counting());
    rig.step(1).unwrap();
    rig.step(2).unwrap();
    let state = rig.save();
    let mut fresh = Rig::new(counting());
    let error = fresh
        .restore(torn(&state, "/plugins/1/state/bytes"))
        .unwrap_err();
    let text = chain(&error);
    assert!(
        text.starts_with(
            r#"plugin "read" could not restore its state: the state in the checkpoint is damaged: "#
        ),
        "{text}"
    );
    let error = fresh
        .restore(torn(&state, "/resources/test.total"))
        .unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains(r#"resource "test.total" is damaged"#),
        "{text}"
    );
    let bytes = postcard::to_stdvec(&state).unwrap();
    assert!(postcard::from_bytes::<HooksState>(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn a_state_of_another_version_is_refused() {
    let state = Rig::new(counting()).save();
    let mut json = serde_json::to_value(&state).unwrap();
    *json.pointer_mut("/plugins/0/state/version").unwrap() = 9.into();
    let error = Rig::new(counting())
        .restore(serde_json::from_value(json).unwrap())
        .unwrap_err();
    assert!(
        chain(&error).contains("holds state version 9, this program reads version 1"),
        "{}",
        chain(&error)
    );
}

#[test]
fn a_plugin_that_was_switched_off_stays_off() -> Result<(), StopRun> {
    let (mut rig, _) = failing(|_| Err(Fault::new("no")));
    rig.step(1)?;
    let (mut resumed, log) = failing(|_| panic!("called although it is switched off"));
    resumed
        .restore(through_bytes(&rig.save()))
        .unwrap_or_else(|e| panic!("{e}"));
    resumed.step(2)?;
    assert_eq!(resumed.hooks.disabled(), ["doer"]);
    assert_eq!(resumed.hooks.drain_faults(), []);
    assert_eq!(taken(&log), ["before2", "after2"]);
    Ok(())
}

/// Taps, with a handler inside a step and one outside.
struct Tapping {
    inside: Every,
    outside: Every,
}

impl Plugin for Tapping {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(self.inside, |_, _| Ok(()))
            .on::<EpochEnd>(self.outside, |_, _| Err(Fault::new("no")))
            .taps(TapSpec::units("*.conv"));
    }
    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }
    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

#[test]
fn taps_are_on_only_in_steps_where_their_plugin_looks() -> Result<(), StopRun> {
    let mut rig = Rig::new(vec![Attached::new(
        "tapping",
        "tapping",
        Tapping {
            inside: Every::Steps(3),
            outside: Every::Always,
        },
    )]);
    let on: Vec<bool> = (1..=6)
        .map(|step| !rig.hooks.taps(&clock(step), &sites()).is_empty())
        .collect();
    assert_eq!(on, [false, false, true, false, false, true]);
    let plan = rig.hooks.taps(&clock(3), &sites());
    assert_eq!(plan.sites.keys().collect::<Vec<_>>(), ["encoder.conv"]);
    rig.epoch_end(3)?;
    assert_eq!(rig.hooks.disabled(), ["tapping"]);
    assert!(rig.hooks.taps(&clock(3), &sites()).is_empty());
    Ok(())
}

#[test]
fn registered_taps_belong_to_who_registered_them() -> Result<(), StopRun> {
    let log = Log::default();
    let mut rig = Rig::new(vec![
        Attached::new("read", "reader", Reader::default()),
        Attached::new("count", "provider", Provider::default()),
        Logger::attach("other", Every::Always, &log),
    ]);
    assert!(rig.hooks.taps(&clock(1), &sites()).is_empty());
    rig.run_start()?;
    let plan = rig.hooks.taps(&clock(1), &sites());
    assert_eq!(plan.sites.len(), 1);
    assert_eq!(
        plan.sites["encoder.act"],
        [TapSpec::units("").mode] as [TapMode; 1]
    );
    let saved = serde_json::to_value(rig.save()).unwrap();
    assert_eq!(saved["taps"][0][0], "read");
    Ok(())
}
