//! Delivery of events: order, cadence, authors, writes, requests, costs and taps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::sync::Arc;

use afterimage_hooks::{
    Attached, BatchPlanned, Declare, EpochEnd, EventKind, Every, Fault, LossReady, Plan, Plugin,
    PluginState, Request, RequestKind, StepDone, StopRun, TapMode, TapSpec, Write,
};
use burn::tensor::{Device, Tensor};
use rig::plugins::{Doer, Log, Logger, Provider, Reader, doer, taken};
use rig::{IDS, Rig, clock, sites};

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
        Logger::attach("b", Every::steps::<2>(), &log),
        Logger::attach("c", Every::epochs::<3>(), &log),
    ]);
    let order: Vec<&str> = rig.hooks.manifests().map(|m| m.id.as_str()).collect();
    assert_eq!(order, ["b", "c", "a"]);
    for step in 1..=6 {
        rig.step(step)?;
    }
    assert_eq!(
        taken(&log),
        [
            "a1", "b2", "a2", "a3", "b4", "a4", "c5", "a5", "b6", "c6", "a6"
        ]
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
fn calls_and_time_are_counted_by_plugin_and_event() -> Result<(), StopRun> {
    let log = Log::default();
    let slow = doer::<StepDone>(
        |_| {},
        |_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            Ok(())
        },
    );
    let mut rig = Rig::new(vec![slow, Logger::attach("b", Every::steps::<2>(), &log)]);
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
            inside: Every::steps::<3>(),
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
