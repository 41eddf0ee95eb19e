//! What a failing plugin does to a run, and what counts as a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{
    BatchPlanned, BatchReady, EpochStart, EventKind, Every, Fault, GradReady, LossReady, OnFault,
    Plan, RequestKind, SampleId, StepDone, StepDoneCx, StopRun, Write,
};
use burn::tensor::{Device, Tensor};
use rig::plugins::{Log, Logger, Total, doer, failing, taken};
use rig::{IDS, Rig};

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

    let mut rig = Rig::new(vec![doer::<StepDone>(
        |_| {},
        |cx| cx.label_access().map(|_| ()),
    )]);
    rig.step(1)?;
    assert!(
        rig.fault()
            .contains("labels are read but not declared; add `.reads_labels()` to the manifest")
    );
    let mut rig = Rig::new(vec![doer::<StepDone>(
        |d| {
            d.reads_labels();
        },
        |cx| cx.label_access().map(|_| ()),
    )]);
    rig.step(1)?;
    assert!(rig.hooks.drain_faults().is_empty());

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
