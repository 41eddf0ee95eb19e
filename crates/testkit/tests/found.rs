//! Plugins that break one law each are found, and one that breaks none is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;

use afterimage::Registry;
use afterimage_testkit::{Broken, Conformance, Program, answer};

use broken::{careless, deaf, forgetful, idle, loose, meddler, promising, touchy};

mod sums {
    afterimage_testkit::plugin_conformance!(crate::broken::sums(), "every = \"2 steps\"");
}

mod reader {
    // A plugin that reads what another provides, tested beside it.
    afterimage_testkit::plugin_conformance!(crate::broken::reader(), "", |kit| kit
        .beside("unitmem", "points = 20\nviews = 2"));
}

fn registry() -> Registry {
    [
        careless(),
        deaf(),
        forgetful(),
        idle(),
        loose(),
        meddler(),
        promising(),
        touchy(),
    ]
    .into_iter()
    .fold(Registry::standard(), Registry::with)
}

/// Not a test: the command with these plugins.
#[test]
#[ignore = "started by other tests"]
fn as_a_process() {
    answer(&registry());
}

fn kit(kind: &str) -> Conformance {
    let program = Program::this_test(module_path!());
    Conformance::new(registry(), program)
        .unwrap()
        .plugin(kind, "")
}

/// The message of a law that does not hold.
fn told<T: std::fmt::Debug>(law: Result<T, Broken>, which: fn(&Broken) -> bool) -> String {
    let broken = law.unwrap_err();
    assert!(which(&broken), "{broken}");
    broken.to_string()
}

#[test]
fn state_that_is_not_saved_is_found_in_mid_epoch() {
    let kit = kit("forgetful");
    let message = told(kit.resumes_exactly(), |b| {
        matches!(b, Broken::Resume { .. })
    });
    assert!(message.contains("stopped in step 15"), "{message}");
    assert!(message.contains("forgetful/sum"), "{message}");
}

#[test]
fn state_that_is_not_taken_back_is_found() {
    let message = told(kit("deaf").state_comes_back(), |b| {
        matches!(b, Broken::State { .. })
    });
    assert!(
        message.contains("\"deaf\"") && message.contains("restore"),
        "{message}"
    );
}

#[test]
fn state_of_another_version_that_is_taken_is_found() {
    let message = told(kit("careless").state_comes_back(), |b| {
        matches!(b, Broken::State { .. })
    });
    assert!(message.contains("another version"), "{message}");
}

#[test]
fn keys_that_are_swallowed_are_found() {
    let message = told(kit("loose").refuses_mistakes(), |b| {
        matches!(b, Broken::Mistake { .. })
    });
    assert!(message.contains("no_key_of_this_plugin"), "{message}");
}

#[test]
fn a_resource_that_never_comes_is_found() {
    let message = told(kit("promising").order_holds(), |b| {
        matches!(b, Broken::Order(_))
    });
    assert!(message.contains("\"test.promise\""), "{message}");
}

#[test]
fn a_plugin_that_is_never_called_is_found() {
    let idle = kit("idle");
    told(idle.cost_is_known(), |b| {
        matches!(b, Broken::NeverCalled { .. })
    });
    idle.changes_nothing().unwrap();
}

#[test]
fn a_plugin_that_heeds_the_faults_of_others_is_found() {
    let touchy = kit("touchy");
    let message = told(touchy.bears_faults_of_others(), |b| {
        matches!(b, Broken::Faults { .. })
    });
    assert!(message.contains("touchy/panics"), "{message}");
}

#[test]
fn an_observer_that_fails_is_told_with_what_it_said() {
    let broken = kit("chaos").changes_nothing();
    let message = told(broken, |b| matches!(b, Broken::Ended { .. }));
    assert!(message.contains("ended with 3, not with 0"), "{message}");
    assert!(message.contains("chaos, as configured"), "{message}");
}

#[test]
fn an_observer_that_acts_is_found() {
    let meddler = kit("meddler");
    let message = told(meddler.changes_nothing(), |b| {
        matches!(b, Broken::Effect { .. })
    });
    assert!(
        message.contains("meddler") && message.contains(".bpk"),
        "{message}"
    );
}
