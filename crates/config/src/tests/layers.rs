//! Flags over files over bases.

use super::*;

const PLUGINS: &str = "name = \"x\"
[[plugins]]
kind = \"probe\"
[[plugins]]
id = \"unitmem\"
kind = \"memory\"
[[plugins]]
kind = \"memory\"
";

#[test]
fn a_flag_wins_over_the_file() {
    let loaded = loaded(
        "name = \"x\"\nseed = 1\n[optimizer]\nwarmup = 4",
        &["seed=2", "optimizer.rate=1e-3", "seed=3"],
    );
    assert_eq!(loaded.value.seed, 3);
    assert_eq!(
        loaded.value.optimizer,
        Optimizer {
            rate: 1e-3,
            warmup: 4,
            nesterov: false
        }
    );
    let seed = loaded.locations.get(&"seed".parse().unwrap()).unwrap();
    assert_eq!((seed.file.as_str(), seed.line), ("--set seed=3", None));
}

#[test]
fn an_element_is_found_by_id_then_kind_then_position() {
    let sets = [
        "plugins.unitmem.every=5 steps",
        "plugins.probe.depth=3",
        "plugins[2].every=\"7 steps\"",
    ];
    let plugins = loaded(PLUGINS, &sets).value.plugins;
    assert_eq!(
        plugins.iter().map(|p| p.every.0).collect::<Vec<_>>(),
        [1, 5, 7]
    );
    assert_eq!(plugins[0].keys.get("depth"), Some(&toml::Value::Integer(3)));
    // The second element is called by its id alone, so the kind names the third.
    assert_eq!(
        loaded(PLUGINS, &["plugins.memory.every=9 steps"])
            .value
            .plugins[2]
            .every
            .0,
        9
    );
}

#[test]
fn an_element_that_is_not_there() {
    assert_eq!(
        messages(
            PLUGINS,
            &["plugins.unitmen.every=5 steps", "plugins[3].every=5 steps"]
        ),
        [
            "--set plugins.unitmen.every=5 steps: plugins.unitmen.every: `plugins` has no element \"unitmen\"; \
         did you mean \"unitmem\"?",
            "--set plugins[3].every=5 steps: plugins[3].every: `plugins` has 3 elements; there is no [3]",
        ]
    );
    let twice = "name = \"x\"\n[[plugins]]\nkind = \"a\"\n[[plugins]]\nkind = \"a\"";
    assert_eq!(
        messages(twice, &["plugins.a.every=5 steps"]),
        [
            "--set plugins.a.every=5 steps: plugins.a.every: 2 elements of `plugins` are named \"a\"; name one by \
         position: `plugins[0]`"
        ]
    );
}

#[test]
fn a_flag_that_leads_nowhere() {
    let text = "name = \"x\"\nseed = 1";
    assert_eq!(
        messages(text, &["seed.x=1"]),
        ["--set seed.x=1: seed.x: `seed` is a single value and has no keys inside"]
    );
    assert_eq!(
        messages(text, &["plugins[0].every=5 steps"]),
        ["--set plugins[0].every=5 steps: plugins[0].every: `plugins` is no array"]
    );
    assert_eq!(
        messages(text, &["plugins.unitmem.every=5 steps"]),
        ["--set plugins.unitmem.every=5 steps: plugins: expected an array; got a table"]
    );
}

#[test]
fn flags_that_are_none_are_told_with_the_file_s_mistakes() {
    assert_eq!(
        messages("name = ", &["seed", "a=[1"]),
        [
            "a.toml:1:8: not valid TOML: string values must be quoted, expected literal string",
            "--set seed: write it as key=value",
            "--set a=[1: `[1` is not valid TOML",
        ]
    );
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    assert_eq!(
        messages(
            "name = \"x\"\n[optimizer]\nrate = 1.0",
            &["optimizer.rate=-1", "optimizer.rat=2"]
        ),
        [
            "--set optimizer.rate=-1: optimizer.rate: must be above 0; got -1",
            "--set optimizer.rat=2: optimizer.rat: unknown key; did you mean `rate`?",
        ]
    );
    assert_eq!(
        messages(PLUGINS, &["plugins.unitmem.every=often"]),
        [
            "--set plugins.unitmem.every=often: plugins[1].every: \"often\" is no cadence; write \"10 steps\""
        ]
    );
    assert_eq!(
        messages("name = \"x\"", &["optimizer={ rate = true }"]),
        ["--set optimizer={ rate = true }: optimizer.rate: expected a number; got true"]
    );
}

#[test]
fn another_kind_starts_afresh_and_says_so() {
    let text = "name = \"x\"\n[objective]\nkind = \"simclr\"\ntemperature = 0.2";
    let loaded = loaded(text, &["objective.momentum=0.9", "objective.kind=byol"]);
    assert_eq!(
        loaded.value.objective,
        Objective::Byol {
            momentum: 0.9,
            head: Head::default()
        }
    );
    assert_eq!(
        loaded.notes,
        [
            "--set objective.kind=byol: objective: \"byol\" takes the place of \"simclr\"; not inherited: \
         `objective.temperature`"
        ]
    );
    // What was dropped is no longer where a missing key is looked for.
    assert_eq!(
        messages(text, &["objective.kind=byol"]),
        ["a.toml:2: objective.momentum: missing; this key has no default"]
    );
}

#[test]
fn the_same_kind_keeps_what_it_inherits() {
    let text = "name = \"x\"\n[objective]\nkind = \"simclr\"\ntemperature = 0.2";
    let loaded = loaded(text, &["objective.kind=simclr"]);
    assert_eq!(
        loaded.value.objective,
        Objective::Simclr { temperature: 0.2 }
    );
    assert!(loaded.notes.is_empty());
}

#[test]
fn an_element_of_another_kind_keeps_its_id() {
    let text = "name = \"x\"\n[[plugins]]\nid = \"u\"\nkind = \"a\"\ndepth = 2";
    let loaded = loaded(text, &["plugins.u.kind=b"]);
    let plugin = &loaded.value.plugins[0];
    assert_eq!(
        (
            plugin.kind.as_str(),
            plugin.id.as_deref(),
            plugin.keys.len()
        ),
        ("b", Some("u"), 0)
    );
    assert_eq!(loaded.notes.len(), 1);
}
