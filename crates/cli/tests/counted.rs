//! What commands count while they work: as many as they expect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use afterimage::{
    AblateOptions, ExchangeOptions, Grain, InsertOptions, ProbeOptions, Pulse, Registry, Which,
    ablate, exchange, insert, probe,
};

use run::{Place, TINY};

/// What was counted, of how many, and of what.
fn counted(pulse: &Pulse) -> (u64, u64, &'static str) {
    let counted = pulse.read();
    (counted.done, counted.all, counted.what)
}

#[test]
fn commands_count_what_they_expect() {
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    let registry = Registry::standard();
    let quiet = &mut |_: &str| {};
    let of = |pulse: &Pulse| ProbeOptions {
        checkpoint: run.clone(),
        sets: vec!["unitmem.points=20".to_owned(), "unitmem.views=3".to_owned()],
        out: place.path("probe"),
        pulse: pulse.clone(),
        ..ProbeOptions::default()
    };

    let pulse = Pulse::default();
    let mut seen = Vec::new();
    probe(&of(&pulse), &mut |part| {
        seen.push((part.to_owned(), counted(&pulse)))
    })
    .unwrap();
    // Twenty points of each split in three views, of each of two encoders.
    assert_eq!(counted(&pulse), (120, 120, "views"));
    let before = seen
        .iter()
        .find(|(part, _)| part == "probing the encoder")
        .unwrap();
    assert_eq!(before.1, (120, 120, "views"));

    let pulse = Pulse::default();
    let mut options = AblateOptions {
        subject: of(&pulse),
        scores: vec!["unitmem".parse().unwrap(), "magnitude".parse().unwrap()],
        which: Which::Top,
        fractions: vec![0.25, 0.5],
        grain: Grain::Layer,
        owned_by: None,
        controls: 1,
        matched: true,
        out: None,
    };
    ablate(&registry, &options, quiet).unwrap();
    assert_eq!(counted(&pulse), (11, 11, "arms"));
    options.grain = Grain::Network;
    options.matched = false;
    ablate(&registry, &options, quiet).unwrap();
    let (done, most, _) = counted(&pulse);
    assert!((5..=most).contains(&done) && most == 9, "{done} of {most}");

    let pulse = Pulse::default();
    let options = ExchangeOptions {
        subject: of(&pulse),
        donor: run.clone(),
        layers: "last:1".parse().unwrap(),
        controls: 2,
    };
    exchange(&options, quiet).unwrap();
    assert_eq!(counted(&pulse), (4, 4, "arms"));

    let pulse = Pulse::default();
    let options = InsertOptions {
        run,
        sets: Vec::new(),
        site: None,
        points: 1,
        others: 20,
        views: 2,
        batch: 4,
        steps: vec![0, 2, 3],
        rate: 0.05,
        pulse: pulse.clone(),
    };
    insert(&registry, &options, quiet).unwrap();
    assert_eq!(counted(&pulse), (9, 9, "steps"));
}
