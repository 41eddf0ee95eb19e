//! State of plugins and resources: the way back from a checkpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{Attached, Fault, HooksState, StopRun};
use rig::plugins::{Provider, Reader, Total, counting, failing, taken};
use rig::{Rig, clock, sites};

/// Bytes through which a checkpoint goes.
fn through_bytes(state: &HooksState) -> HooksState {
    postcard::from_bytes(&postcard::to_stdvec(state).unwrap()).unwrap()
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
