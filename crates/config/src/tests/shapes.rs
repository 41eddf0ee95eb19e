//! Shapes of types in which serde says little about where it was.

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Study {
    encoder: Encoder,
    views: Views,
    seed: u64,
    #[serde(default)]
    budget: Option<Budget>,
    #[serde(default)]
    stages: Vec<Stage>,
    #[serde(default)]
    rule: Option<Rule>,
    #[serde(default)]
    mixed: Mixed,
}

impl Validate for Study {
    fn validate(&self, report: &mut Report<'_>) {
        report.check(self.seed != 3, "seed", || "must not be 3".to_owned());
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Encoder {
    Resnet { depth: u32, stem: Stem },
    Vit { patch: u32 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stem {
    width: u32,
    kernel: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Views {
    size: [u32; 2],
    blur: Option<f64>,
    mode: Precision,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Budget {
    Epochs(u32),
    Parts { steps: u32 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Stage {
    Warmup { steps: u32 },
    Hold(u32),
    Stop,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
struct Rule(u32, u32);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    low: u32,
    high: u32,
}

impl TryFrom<Bounds> for Rule {
    type Error = String;

    fn try_from(bounds: Bounds) -> Result<Self, String> {
        let Bounds { low, high } = bounds;
        if low < high {
            Ok(Self(low, high))
        } else {
            Err(format!("from {low} to {high} there is nothing"))
        }
    }
}

impl From<Rule> for Bounds {
    fn from(rule: Rule) -> Self {
        Self {
            low: rule.0,
            high: rule.1,
        }
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Mixed {
    own: u32,
    #[serde(flatten)]
    shared: Shared,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Shared {
    rate: f64,
    steps: u32,
}

const RIGHT: &str = "seed = 1
encoder = { kind = \"vit\", patch = 4 }
views = { size = [1, 2], mode = \"half\" }
";

fn says(text: &str) -> Vec<String> {
    match load_text::<Study>("a.toml", text, &[]) {
        Ok(loaded) => panic!("loaded:\n{}", loaded.resolved),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

fn says_after_right(lines: &str) -> Vec<String> {
    says(&format!("{RIGHT}{lines}"))
}

#[test]
fn what_is_right_loads() {
    let text = format!(
        "{RIGHT}budget = {{ steps = 3 }}\nstages = [{{ warmup = {{ steps = 1 }} }}, \"stop\"]\n\
         rule = {{ low = 1, high = 2 }}\nmixed = {{ own = 1, steps = 2 }}"
    );
    let study = load_text::<Study>("a.toml", &text, &[]).unwrap().value;
    assert_eq!(study.stages, [Stage::Warmup { steps: 1 }, Stage::Stop]);
    assert_eq!(
        study.mixed,
        Mixed {
            own: 1,
            shared: Shared {
                rate: 0.0,
                steps: 2
            }
        }
    );
}

#[test]
fn everything_missing_is_told_once() {
    assert_eq!(
        says(""),
        [
            "a.toml: encoder: missing; this key has no default",
            "a.toml: seed: missing; this key has no default",
            "a.toml: views: missing; this key has no default",
        ]
    );
    assert_eq!(
        says("[views]\nblur = 1\n[encoder]\nkind = \"resnet\"\nstem = { width = 3 }"),
        [
            "a.toml: seed: missing; this key has no default",
            "a.toml:1: views.mode: missing; this key has no default",
            "a.toml:1: views.size: missing; this key has no default",
            "a.toml:3: encoder.depth: missing; this key has no default",
            "a.toml:5: encoder.stem.kernel: missing; this key has no default",
        ]
    );
}

#[test]
fn what_follows_from_a_mistake_is_not_told() {
    assert_eq!(
        says("encoder = { kind = \"vti\", patch = 4 }\nviews = 3\nseed = 1"),
        [
            "a.toml:1: encoder.kind: there is no \"vti\"; did you mean \"vit\"?",
            "a.toml:2: views: expected a table; got 3",
        ]
    );
    assert_eq!(
        says("encoder = { kind = \"vit\", patch = \"4\" }\nviews = { size = 1, mode = \"half\" }"),
        [
            "a.toml: seed: missing; this key has no default",
            "a.toml:1: encoder.patch: expected a whole number from 0 to 4294967295; got \"4\"",
            "a.toml:2: views.size: expected an array of length 2; got 1",
        ]
    );
    // A table without its kind says nothing about its other keys.
    assert_eq!(
        says(
            "encoder = { patch = 4, x = 1 }\nviews = { size = [1, 2], mode = \"half\" }\nsede = 1"
        ),
        [
            "a.toml:1: encoder.kind: missing; this key has no default",
            "a.toml:3: sede: unknown key; did you mean `seed`?",
        ]
    );
}

#[test]
fn tables_that_are_tried_as_several_types() {
    assert_eq!(
        says_after_right("budget = { stepz = 3 }"),
        ["a.toml:4: budget: data did not match any variant of untagged enum Budget"]
    );
    assert_eq!(
        says_after_right("budget = { steps = 3, x = 1 }"),
        ["a.toml:4: budget.x: unknown key; known here: `steps`"]
    );
}

#[test]
fn tables_named_by_their_variant() {
    assert_eq!(
        says_after_right("[[stages]]\nwarmup = { steps = 1 }\n[[stages]]\nwarmup = { stepz = 1 }"),
        ["a.toml:7: stages[1].warmup.stepz: unknown key; did you mean `steps`?"]
    );
    assert_eq!(
        says_after_right("stages = [\"stop\", \"hodl\", { hold = \"x\" }]"),
        [
            "a.toml:4: stages[1]: there is no \"hodl\"; did you mean \"hold\"?",
            "a.toml:4: stages[2].hold: expected a whole number from 0 to 4294967295; got \"x\"",
        ]
    );
    assert_eq!(
        says_after_right("stages = [{ hodl = 1 }]"),
        ["a.toml:4: stages[0].hodl: there is no \"hodl\"; did you mean \"hold\"?"]
    );
}

#[test]
fn tables_that_are_wrong_as_a_whole() {
    assert_eq!(
        says_after_right("rule = { low = 3, high = 2 }"),
        ["a.toml:4: rule: from 3 to 2 there is nothing"]
    );
    assert_eq!(
        says_after_right("rule = { low = 3, high = 2.5 }"),
        ["a.toml:4: rule.high: expected a whole number from 0 to 4294967295; got 2.5"]
    );
}

#[test]
fn tables_of_two_types_in_one() {
    assert_eq!(
        says_after_right("[mixed]\nrate = \"x\"\nown = 1\nsteps = -1\nstep = 2"),
        [
            "a.toml:5: mixed.rate: expected a number; got \"x\"",
            "a.toml:7: mixed.steps: expected a whole number from 0 to 4294967295; got -1",
            "a.toml:8: mixed.step: unknown key; did you mean `steps`?",
        ]
    );
}

#[test]
fn meaning_is_checked_beside_types() {
    assert_eq!(
        says(&format!(
            "{}budget = true\nbudgte = 1",
            RIGHT.replace("= 1\n", "= 3\n")
        )),
        [
            "a.toml:1: seed: must not be 3",
            "a.toml:4: budget: data did not match any variant of untagged enum Budget",
            "a.toml:5: budgte: unknown key; did you mean `budget`?",
        ]
    );
}

#[test]
fn keys_that_are_read_and_not_written_back_are_known() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Loader {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sites: Vec<String>,
        #[serde(default, alias = "threads")]
        workers: u32,
    }
    impl Validate for Loader {
        fn validate(&self, _: &mut Report<'_>) {}
    }
    let loaded = load_text::<Loader>("a.toml", "sites = []\nthreads = 3", &[]).unwrap();
    assert_eq!(loaded.resolved, "workers = 3\n");
    let errors = load_text::<Loader>("a.toml", "sites = []\nthread = []", &[]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "a.toml:2: thread: unknown key; known here: `workers`"
    );
}
