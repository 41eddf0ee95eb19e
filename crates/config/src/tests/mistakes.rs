//! Each kind of mistake, by its exact words.

use super::*;

#[test]
fn a_key_that_does_not_exist() {
    assert_eq!(
        messages("name = \"x\"\n[optimizer]\nrate = 0.1\nwarmpu = 3", &[]),
        ["a.toml:4: optimizer.warmpu: unknown key; did you mean `warmup`?"]
    );
    assert_eq!(
        messages("name = \"x\"\nbudget = 3", &[]),
        [
            "a.toml:2: budget: unknown key; known here: `crop`, `limits`, `loose`, `name`, `objective`, `optimizer`, \
          `plugins`, `precision`, `seed`"
        ]
    );
}

#[test]
fn an_unknown_table_with_keys_that_have_its_name() {
    let listed = "known here: `crop`, `limits`, `loose`, `name`, `objective`, `optimizer`, `plugins`, `precision`, `seed`";
    assert_eq!(
        messages("name = \"x\"\n[foobar]\nfoobar = 1", &[]),
        [format!("a.toml:2: foobar: unknown key; {listed}")]
    );
    assert_eq!(
        messages(
            "name = \"x\"\n[objective]\nkind = \"simclr\"\nobjective = 1",
            &[]
        ),
        ["a.toml:4: objective.objective: unknown key; known here: `temperature`"]
    );
}

#[test]
fn a_key_that_the_type_would_let_pass() {
    assert_eq!(
        messages("name = \"x\"\n[loose]\nfoldr = \"a\"", &[]),
        ["a.toml:3: loose.foldr: unknown key; did you mean `folder`?"]
    );
    assert_eq!(
        messages(
            "name = \"x\"\n[loose.tagged]\nkind = \"local\"\npath = \"p\"\npaht = \"q\"",
            &[]
        ),
        ["a.toml:5: loose.tagged.paht: unknown key; did you mean `path`?"]
    );
}

#[test]
fn a_value_of_another_type() {
    let says = |line: &str| messages(&format!("name = \"x\"\n{line}"), &[]);
    assert_eq!(
        says("seed = \"1\""),
        ["a.toml:2: seed: expected a whole number, 0 or more; got \"1\""]
    );
    assert_eq!(
        says("seed = -1"),
        ["a.toml:2: seed: expected a whole number, 0 or more; got -1"]
    );
    assert_eq!(
        says("seed = 1.0"),
        ["a.toml:2: seed: expected a whole number, 0 or more; got 1.0"]
    );
    assert_eq!(
        says("seed = { a = 1 }"),
        ["a.toml:2: seed: expected a whole number, 0 or more; got a table"]
    );
    assert_eq!(
        says("optimizer = 3"),
        ["a.toml:2: optimizer: expected a table; got 3"]
    );
    assert_eq!(
        says("optimizer.nesterov = 1"),
        ["a.toml:2: optimizer.nesterov: expected true or false; got 1"]
    );
    assert_eq!(
        says("optimizer.rate = [1]"),
        ["a.toml:2: optimizer.rate: expected a number; got an array"]
    );
    assert_eq!(
        says("plugins = \"a\""),
        ["a.toml:2: plugins: expected an array; got \"a\""]
    );
    assert_eq!(
        says("limits = { a = 1, b = true }"),
        ["a.toml:2: limits.b: expected a whole number from 0 to 4294967295; got true"]
    );
    assert_eq!(
        says("crop = [0.1, true]"),
        ["a.toml:2: crop[1]: expected a number; got true"]
    );
    assert_eq!(
        says("crop = [0.1]"),
        ["a.toml:2: crop: expected an array of length 2; got 1"]
    );
    assert_eq!(
        says("crop = [0.1, 0.2, \"c\"]"),
        ["a.toml:2: crop: expected fewer elements in array; got 3"]
    );
}

#[test]
fn a_name_that_is_no_choice() {
    assert_eq!(
        messages("name = \"x\"\nprecision = \"hlaf\"", &[]),
        ["a.toml:2: precision: there is no \"hlaf\"; did you mean \"half\"?"]
    );
    assert_eq!(
        messages(
            "name = \"x\"\n[objective]\ntemperature = 1\nkind = \"moco\"",
            &[]
        ),
        ["a.toml:4: objective.kind: there is no \"moco\"; known here: \"byol\", \"simclr\""]
    );
}

#[test]
fn a_key_that_is_missing() {
    assert_eq!(
        messages("seed = 1", &[]),
        ["a.toml: name: missing; this key has no default"]
    );
    assert_eq!(
        messages("", &[]),
        ["a.toml: name: missing; this key has no default"]
    );
    assert_eq!(
        messages("name = \"x\"\n\n[objective]\nkind = \"byol\"", &[]),
        ["a.toml:3: objective.momentum: missing; this key has no default"]
    );
    assert_eq!(
        messages("name = \"x\"\n[objective]\ntemperature = 1", &[]),
        ["a.toml:2: objective.kind: missing; this key has no default"]
    );
    assert_eq!(
        messages("plugins = [{ kind = \"a\" }, { id = \"b\" }]", &[]),
        [
            "a.toml: name: missing; this key has no default",
            "a.toml:1: plugins[1].kind: missing; this key has no default"
        ]
    );
}

/// serde reads a tagged table into a buffer before it knows the type, and forgets which key it was at.
#[test]
fn a_key_inside_a_tagged_table() {
    let says = |lines: &str| messages(&format!("name = \"x\"\n[objective]\n{lines}"), &[]);
    assert_eq!(
        says("kind = \"simclr\"\ntemprature = 0.2"),
        ["a.toml:4: objective.temprature: unknown key; did you mean `temperature`?"]
    );
    assert_eq!(
        says("kind = \"simclr\"\ntemperature = \"warm\""),
        ["a.toml:4: objective.temperature: expected a number; got \"warm\""]
    );
    assert_eq!(
        says("kind = \"byol\"\nmomentum = \"much\""),
        ["a.toml:4: objective.momentum: expected a number; got \"much\""]
    );
    assert_eq!(
        says("kind = \"byol\"\nmomentum = 0.9\n[objective.head]\nwidth = true\ndpeth = 2"),
        [
            "a.toml:6: objective.head.width: expected a whole number from 0 to 4294967295; got true",
            "a.toml:7: objective.head.dpeth: unknown key; did you mean `depth`?"
        ]
    );
    // The same wrong value three times, and one that has no text to be found by.
    assert_eq!(
        says("kind = \"byol\"\nmomentum = {}\nhead = { width = \"a\", depth = \"a\" }"),
        [
            "a.toml:4: objective.momentum: expected a number; got a table",
            "a.toml:5: objective.head.width: expected a whole number from 0 to 4294967295; got \"a\"",
            "a.toml:5: objective.head.depth: expected a whole number from 0 to 4294967295; got \"a\""
        ]
    );
    assert_eq!(
        says("kind = 3"),
        ["a.toml:3: objective.kind: expected one of its names, in quotes; got 3"]
    );
}

#[test]
fn a_text_that_its_type_refuses() {
    assert_eq!(
        messages(
            "name = \"x\"\n[[plugins]]\nkind = \"unitmem\"\n\n[[plugins]]\nkind = \"probe\"\nevery = \"10 step s\"",
            &[]
        ),
        ["a.toml:7: plugins[1].every: \"10 step s\" is no cadence; write \"10 steps\""]
    );
}

#[test]
fn a_value_out_of_range() {
    assert_eq!(
        messages("name = \"x\"\n[optimizer]\nrate = -1", &[]),
        ["a.toml:3: optimizer.rate: must be above 0; got -1"]
    );
    assert_eq!(
        messages(
            "name = \"x\"\n[[plugins]]\nkind = \"a\"\n[[plugins]]\nkind = \"b\"\nevery = \"0 steps\"",
            &[]
        ),
        ["a.toml:6: plugins[1].every: must be 1 or more"]
    );
}

#[test]
fn all_at_once_by_line() {
    let text = "\
seed = \"one\"
sede = 3
[optimizer]
rate = -1
warmup = \"long\"
nestrov = true
[[plugins]]
kind = 4
[[plugins]]
kind = \"probe\"
every = 5
[[plugins]]
every = \"often\"
[objective]
kind = \"byol\"
momentum = \"x\"
momentun = 1
[loose]
foldr = 1
";
    assert_eq!(
        messages(text, &["precision=double", "optimizer.x=1"]),
        [
            "a.toml: name: missing; this key has no default",
            "a.toml:1: seed: expected a whole number, 0 or more; got \"one\"",
            "a.toml:2: sede: unknown key; did you mean `seed`?",
            "a.toml:4: optimizer.rate: must be above 0; got -1",
            "a.toml:5: optimizer.warmup: expected a whole number from 0 to 4294967295; got \"long\"",
            "a.toml:6: optimizer.nestrov: unknown key; did you mean `nesterov`?",
            "a.toml:8: plugins[0].kind: expected a text in quotes; got 4",
            "a.toml:11: plugins[1].every: expected a text in quotes; got 5",
            "a.toml:12: plugins[2].kind: missing; this key has no default",
            "a.toml:13: plugins[2].every: \"often\" is no cadence; write \"10 steps\"",
            "a.toml:16: objective.momentum: expected a number; got \"x\"",
            "a.toml:17: objective.momentun: unknown key; did you mean `momentum`?",
            "a.toml:19: loose.foldr: unknown key; did you mean `folder`?",
            "--set precision=double: precision: there is no \"double\"; known here: \"full\", \"half\"",
            "--set optimizer.x=1: optimizer.x: unknown key; known here: `nesterov`, `rate`, `warmup`",
        ]
    );
}

#[test]
fn wrong_values_and_wrong_types_together() {
    assert_eq!(
        messages(
            "name = \"x\"\n[optimizer]\nrate = -1\nwarmup = \"long\"\nx = 0",
            &[]
        ),
        [
            "a.toml:3: optimizer.rate: must be above 0; got -1",
            "a.toml:4: optimizer.warmup: expected a whole number from 0 to 4294967295; got \"long\"",
            "a.toml:5: optimizer.x: unknown key; known here: `nesterov`, `rate`, `warmup`",
        ]
    );
}

#[test]
fn a_key_with_another_name_is_checked_by_its_line() {
    assert_eq!(
        messages(
            "nmae = \"x\"\nseed = 1\n[optimizer]\nraet = -1\nwarmpu = -1",
            &[]
        ),
        [
            "a.toml:1: nmae: unknown key; did you mean `name`?",
            "a.toml:4: optimizer.raet: unknown key; did you mean `rate`?",
            "a.toml:4: optimizer.raet: must be above 0; got -1",
            "a.toml:5: optimizer.warmpu: unknown key; did you mean `warmup`?",
            "a.toml:5: optimizer.warmpu: expected a whole number from 0 to 4294967295; got -1",
        ]
    );
}

#[test]
fn a_guess_that_does_not_fit_says_no_more() {
    assert_eq!(
        messages("name = \"x\"\nseeds = [1, 2]", &[]),
        ["a.toml:2: seeds: unknown key; did you mean `seed`?"]
    );
}

#[test]
fn what_names_a_wrong_key_beside_it_follows_from_it() {
    #[derive(Debug, Deserialize, Serialize)]
    struct Rates {
        floor: f64,
        peak: f64,
    }
    impl Validate for Rates {
        fn validate(&self, report: &mut Report<'_>) {
            report.check(self.peak > 0.0, "peak", || "must be above 0".to_owned());
            report.check(self.floor <= self.peak, "floor", || {
                "must be at most `peak`".to_owned()
            });
        }
    }
    let errors = load_text::<Rates>("a.toml", "floor = 0.0\npeak = -1.0", &[]).unwrap_err();
    assert_eq!(errors.to_string(), "a.toml:2: peak: must be above 0");
    let errors = load_text::<Rates>("a.toml", "floor = 1.0\npeak = \"x\"", &[]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "a.toml:2: peak: expected a number; got \"x\""
    );
}

#[test]
fn a_choice_with_another_name_lets_its_table_be_checked() {
    assert_eq!(
        messages(
            "name = \"x\"\n[objective]\nkind = \"smclr\"\ntemperature = \"x\"\nx = 1",
            &[]
        ),
        [
            "a.toml:3: objective.kind: there is no \"smclr\"; did you mean \"simclr\"?",
            "a.toml:4: objective.temperature: expected a number; got \"x\"",
            "a.toml:5: objective.x: unknown key; known here: `temperature`",
        ]
    );
}

#[test]
fn hints_of_the_type_come_first_and_their_keys_are_checked() {
    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Hinted {
        rate: f64,
        #[serde(default)]
        objective: Objective,
    }
    impl Validate for Hinted {
        fn validate(&self, report: &mut Report<'_>) {
            report.check(self.rate > 0.0, "rate", || "must be above 0".to_owned());
        }

        fn hint(_: Wrong, key: &KeyPath, value: &toml::Value) -> Option<Hint> {
            match (key.to_string().as_str(), value.as_str()) {
                ("learning_rate", _) => Some(Hint::key("rate")),
                ("objective.kind", Some("infonce")) => {
                    Some(Hint::value("write kind = \"simclr\"", "simclr"))
                }
                ("objective.lr", _) => Some(Hint::advice("set it by `rate`")),
                _ => None,
            }
        }
    }
    let text = "learning_rate = -1\n[objective]\nkind = \"infonce\"\ntemperature = true\nlr = 1";
    let errors = load_text::<Hinted>("a.toml", text, &[]).unwrap_err();
    assert_eq!(
        errors.to_string().lines().collect::<Vec<_>>(),
        [
            "a.toml:1: learning_rate: unknown key; did you mean `rate`?",
            "a.toml:1: learning_rate: must be above 0",
            "a.toml:3: objective.kind: there is no \"infonce\"; write kind = \"simclr\"",
            "a.toml:4: objective.temperature: expected a number; got true",
            "a.toml:5: objective.lr: unknown key; set it by `rate`",
        ]
    );
}

#[test]
fn values_are_checked_beside_keys_that_are_made_up() {
    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Ranges {
        low: u32,
        high: u32,
        share: f64,
    }
    impl Validate for Ranges {
        fn validate(&self, report: &mut Report<'_>) {
            report.check(self.share <= 1.0, "share", || {
                "must be at most 1".to_owned()
            });
            report.check(self.low < self.high, "high", || {
                "must be above `low`".to_owned()
            });
            report.check(!report.knows("low") || self.low == 7, "share", || {
                "is for a `low` of 7".to_owned()
            });
        }
    }
    let says = |text: &str| {
        load_text::<Ranges>("a.toml", text, &[])
            .unwrap_err()
            .to_string()
    };
    // With `low` unknown, nothing is said of what hangs on it.
    assert_eq!(
        says("low = -1\nhigh = 0\nshare = 2.0"),
        "a.toml:1: low: expected a whole number from 0 to 4294967295; got -1\na.toml:3: share: must be at most 1"
    );
    assert_eq!(
        says("low = 8\nhigh = 8\nshare = 0.5"),
        "a.toml:2: high: must be above `low`\na.toml:3: share: is for a `low` of 7"
    );
}

#[test]
fn no_more_than_fifty() {
    let text: String = (0..80).map(|i| format!("key{i} = 1\n")).collect();
    let told = messages(&text, &[]);
    assert_eq!(told.len(), 51);
    assert_eq!(
        told[50],
        "a.toml: these are the first 50 mistakes; put them right to see whether there are more"
    );
}

#[test]
fn a_plugin_s_own_keys_are_decoded_later() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        units: u32,
        #[serde(default)]
        share: f64,
    }
    let text = "name = \"x\"\n[[plugins]]\nkind = \"a\"\nunits = 3\n[[plugins]]\nkind = \"b\"\nunits = -1\nshar = 1";
    let loaded = loaded(text, &["plugins[0].share=\"all\""]);
    let mut report = loaded.locations.report();
    for (i, plugin) in loaded.value.plugins.iter().enumerate() {
        report.decode::<Own>(&format!("plugins[{i}]"), &plugin.keys);
    }
    report.unknown_name("plugins[1].kind", "plugin", "b", &["unitmem".to_owned()]);
    let errors = report.finish().unwrap_err().to_string();
    assert_eq!(
        errors.lines().collect::<Vec<_>>(),
        [
            "a.toml:6: plugins[1].kind: there is no plugin \"b\"; known here: \"unitmem\"",
            "a.toml:7: plugins[1].units: expected a whole number from 0 to 4294967295; got -1",
            "a.toml:8: plugins[1].shar: unknown key; did you mean `share`?",
            "--set plugins[0].share=\"all\": plugins[0].share: expected a number; got \"all\"",
        ]
    );
}
