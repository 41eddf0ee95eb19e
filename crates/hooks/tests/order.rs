//! The order of plugins: what fixes it, and what is refused with words that help.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod manifests;

use std::collections::BTreeSet;

use afterimage_hooks::{
    EventKind, Every, Fault, HooksError, Host, Manifest, RequestKind, Site, SiteKind, TapSpec,
    Write, order,
};
use manifests::{Build, errors_on, ids, message, message_on, plugin};

fn site(name: &str, kind: SiteKind) -> Site {
    Site {
        name: name.to_owned(),
        kind,
        units: 4,
        produced_by: Vec::new(),
        consumed_by: Vec::new(),
    }
}

#[test]
fn the_config_decides_where_nothing_else_does() {
    assert_eq!(ids(&[]), [""; 0]);
    assert_eq!(
        ids(&[plugin("b", 1), plugin("a", 2), plugin("c", 3)]),
        ["b", "a", "c"]
    );
}

#[test]
fn a_provider_comes_before_its_readers_and_the_rest_keeps_its_place() {
    let set = [
        plugin("early", 1),
        plugin("reader", 2).reads(&["scores"]),
        plugin("provider", 3).provides(&["scores"]),
        plugin("late", 4),
    ];
    assert_eq!(ids(&set), ["early", "provider", "reader", "late"]);
}

#[test]
fn a_plugin_may_read_what_it_provides() {
    let set = [plugin("both", 1).reads(&["scores"]).provides(&["scores"])];
    assert_eq!(ids(&set), ["both"]);
}

#[test]
fn after_is_obeyed() {
    let set = [plugin("a", 1).after(&["c"]), plugin("b", 2), plugin("c", 3)];
    assert_eq!(ids(&set), ["b", "c", "a"]);
}

#[test]
fn one_id_twice_is_refused() {
    assert_eq!(
        message(&[plugin("probe", 4), plugin("probe", 9)]),
        r#"plugins "probe" (run.toml:4) and "probe" (run.toml:9) have the same id; give one of them another `id`"#
    );
}

#[test]
fn a_plugin_attached_in_code_is_named_without_a_line() {
    let mut bare = plugin("probe", 4);
    bare.origin = None;
    let text = message(&[bare, plugin("probe", 9)]);
    assert!(
        text.starts_with(r#"plugins "probe" and "probe" (run.toml:9) have"#),
        "{text}"
    );
}

#[test]
fn a_resource_without_a_provider_is_refused() {
    assert_eq!(
        message(&[plugin("prune", 7).reads(&["unitmem.scores"])]),
        r#"plugin "prune" (run.toml:7) reads "unitmem.scores", which no plugin provides; attach one that does, before or after it"#
    );
}

#[test]
fn a_resource_with_two_providers_is_refused() {
    assert_eq!(
        message(&[
            plugin("probe", 3).provides(&["scores"]),
            plugin("stream", 8).provides(&["scores"]),
        ]),
        r#"plugins "probe" (run.toml:3) and "stream" (run.toml:8) both provide "scores"; remove one of them"#
    );
}

#[test]
fn two_plugins_that_read_each_other_are_refused() {
    assert_eq!(
        message(&[
            plugin("a", 1).reads(&["y"]).provides(&["x"]),
            plugin("b", 5).reads(&["x"]).provides(&["y"]),
        ]),
        r#"plugins wait for each other: "a" (run.toml:1) reads "y" of "b" (run.toml:5), "b" (run.toml:5) reads "x" of "a" (run.toml:1); remove one of these dependencies"#
    );
}

#[test]
fn a_cycle_of_three_is_told_without_those_who_only_wait_for_it() {
    assert_eq!(
        message(&[
            plugin("outside", 1).reads(&["x"]),
            plugin("a", 2).reads(&["z"]).provides(&["x"]),
            plugin("b", 3).reads(&["x"]).provides(&["y"]),
            plugin("c", 4).reads(&["y"]).provides(&["z"]),
            plugin("free", 5),
        ]),
        "plugins wait for each other: \
         \"a\" (run.toml:2) reads \"z\" of \"c\" (run.toml:4), \
         \"c\" (run.toml:4) reads \"y\" of \"b\" (run.toml:3), \
         \"b\" (run.toml:3) reads \"x\" of \"a\" (run.toml:2); \
         remove one of these dependencies"
    );
}

#[test]
fn after_can_close_a_cycle() {
    assert_eq!(
        message(&[
            plugin("a", 1).provides(&["x"]).after(&["b"]),
            plugin("b", 2).reads(&["x"]),
        ]),
        r#"plugins wait for each other: "a" (run.toml:1) is to come after "b" (run.toml:2), "b" (run.toml:2) reads "x" of "a" (run.toml:1); remove one of these dependencies"#
    );
}

#[test]
fn a_plugin_cannot_come_after_itself() {
    assert_eq!(
        message(&[plugin("a", 1).after(&["a"])]),
        r#"plugins wait for each other: "a" (run.toml:1) is to come after "a" (run.toml:1); remove one of these dependencies"#
    );
}

#[test]
fn an_unknown_after_is_refused_with_what_there_is() {
    assert_eq!(
        message(&[plugin("prune", 6).after(&["prob"]), plugin("probe", 2)]),
        r#"plugin "prune" (run.toml:6) is to come after "prob", which is not attached; attached are: prune, probe"#
    );
}

fn weighers() -> (Manifest, Manifest) {
    (
        plugin("hard", 2).writes(Write::LossWeights),
        plugin("rare", 6).writes(Write::LossWeights),
    )
}

#[test]
fn two_writers_without_an_order_are_refused() {
    let (hard, rare) = weighers();
    assert_eq!(
        message(&[hard, rare]),
        r#"plugins "hard" (run.toml:2) and "rare" (run.toml:6) both write the loss weights, and nothing says who comes first; add `after = ["hard"]` to one of them"#
    );
}

#[test]
fn the_advice_to_ambiguous_writers_works() {
    let (hard, rare) = weighers();
    assert_eq!(ids(&[hard, rare.after(&["hard"])]), ["hard", "rare"]);
    let (hard, rare) = weighers();
    assert_eq!(ids(&[hard.after(&["rare"]), rare]), ["rare", "hard"]);
}

#[test]
fn a_resource_orders_writers_even_through_a_third_plugin() {
    let (hard, rare) = weighers();
    let set = [
        hard.reads(&["y"]),
        plugin("between", 3).reads(&["x"]).provides(&["y"]),
        rare.provides(&["x"]),
    ];
    assert_eq!(ids(&set), ["rare", "between", "hard"]);
}

#[test]
fn writers_of_different_things_need_no_order() {
    let set = [
        plugin("a", 1).writes(Write::LossWeights),
        plugin("b", 2).writes(Write::LossTerms),
    ];
    assert_eq!(ids(&set), ["a", "b"]);
}

#[test]
fn an_event_that_the_host_lacks_is_refused() {
    let mut host = Host::default();
    host.missing_events.insert(
        EventKind::ForwardDone,
        "implement the tapped forward".into(),
    );
    let mut probe = plugin("stream", 11);
    probe.events.push((EventKind::ForwardDone, Every::Always));
    probe.events.push((EventKind::EpochEnd, Every::Always));
    assert_eq!(
        message_on(&host, &[probe]),
        r#"plugin "stream" (run.toml:11) needs the event ForwardDone, which this model does not expose: implement the tapped forward"#
    );
}

#[test]
fn a_request_that_the_host_cannot_apply_is_refused() {
    let host = Host {
        requests: BTreeSet::from([RequestKind::Stop]),
        ..Host::default()
    };
    let mut prune = plugin("prune", 12);
    prune.requests = vec![RequestKind::Stop, RequestKind::SetPlan];
    assert_eq!(
        message_on(&host, &[prune]),
        r#"plugin "prune" (run.toml:12) makes requests of kind set_plan, which this run cannot apply"#
    );
}

#[test]
fn a_comparison_needs_a_reference_and_a_reference_allows_no_write_to_one_of_both() {
    let mut compares = plugin("layermem", 4);
    compares.reference = true;
    let message = message_on(&Host::default(), std::slice::from_ref(&compares));
    assert!(
        message.contains("layermem") && message.contains("[pair]"),
        "{message}"
    );
    let pair = Host {
        reference: true,
        ..Host::default()
    };
    assert!(order(&[&compares], &pair).is_ok());
    assert!(order(&[&plugin("w", 5).writes(Write::LossWeights)], &pair).is_ok());
    let message = message_on(&pair, &[plugin("w", 5).writes(Write::Views)]);
    assert!(
        message.contains("run.toml:5") && message.contains("the views"),
        "{message}"
    );
}

#[test]
fn outputs_of_views_are_not_taken_for_a_sample_s_own_beside_a_writer_of_views() {
    let mut reader = plugin("bank", 3);
    reader.whole_views = Some("set `pass = \"own\"`");
    let weigher = plugin("weigher", 5).writes(Write::LossWeights);
    assert_eq!(ids(&[reader.clone(), weigher]), ["bank", "weigher"]);
    assert_eq!(
        message(&[reader, plugin("mixer", 7).writes(Write::Views)]),
        r#"plugin "bank" (run.toml:3) takes the outputs of a view for those of its sample alone, and "mixer" (run.toml:7) writes views, which may mix samples; set `pass = "own"`"#
    );
}

#[test]
fn a_tap_must_match_by_name_and_kind() {
    let host = Host {
        sites: vec![
            site("encoder.conv", SiteKind::Conv),
            site("encoder.act", SiteKind::Activation),
        ],
        ..Host::default()
    };
    let mut probe = plugin("probe", 3);
    probe.taps = vec![
        TapSpec::units("encoder.*").kind(SiteKind::Activation),
        TapSpec::units("encoder.conv").kind(SiteKind::Activation),
    ];
    assert_eq!(
        message_on(&host, &[probe]),
        r#"plugin "probe" (run.toml:3) taps "encoder.conv", which matches no site of the model; sites are: encoder.conv, encoder.act"#
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut tapping = plugin("t", 9).reads(&["nowhere"]).after(&["nobody"]);
    tapping.taps.push(TapSpec::units("*"));
    tapping.requests.push(RequestKind::Mask);
    let set = [
        plugin("a", 1).after(&["b"]).provides(&["x"]),
        plugin("b", 2).after(&["a"]).provides(&["x"]),
        plugin("w", 3).writes(Write::Views),
        plugin("w", 4).writes(Write::Views),
        tapping,
    ];
    let kinds: Vec<&str> = errors_on(&Host::default(), &set)
        .iter()
        .map(|error| match error {
            HooksError::DuplicateId { .. } => "duplicate",
            HooksError::UnsupportedRequest { .. } => "request",
            HooksError::TapMatchesNothing { .. } => "tap",
            HooksError::TwoProducers { .. } => "two producers",
            HooksError::MissingProducer { .. } => "missing producer",
            HooksError::UnknownAfter { .. } => "after",
            HooksError::Cycle { .. } => "cycle",
            HooksError::AmbiguousWriters { .. } => "writers",
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "duplicate",
            "request",
            "tap",
            "two producers",
            "missing producer",
            "after",
            "cycle",
            "writers"
        ]
    );
}

#[test]
fn state_errors_are_worded() {
    let other = HooksError::OtherPlugins {
        difference: "the checkpoint has [], this run has [\"a\" (test)]".into(),
    };
    assert_eq!(
        other.to_string(),
        r#"the checkpoint was written with other plugins: the checkpoint has [], this run has ["a" (test)]; resume with the config that wrote it, or start a new run"#
    );
    let state = HooksError::State {
        plugin: plugin("a", 3).named(),
        verb: "restore",
        fault: Fault::new("another version"),
    };
    assert_eq!(
        state.to_string(),
        r#"plugin "a" (run.toml:3) could not restore its state: another version"#
    );
    let source = std::error::Error::source(&state).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("another version"));
}
