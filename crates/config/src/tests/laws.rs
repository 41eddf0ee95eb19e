//! What holds for every config.

use proptest::prelude::*;

use super::*;

fn experiment() -> impl Strategy<Value = Experiment> {
    let plugin = (
        "[a-z]{1,4}",
        prop::option::of("[a-z]{1,4}"),
        1u32..99,
        any::<f64>().prop_filter("a number", |x| !x.is_nan()),
    )
        .prop_map(|(kind, id, every, share)| Plugin {
            kind,
            id,
            every: Cadence(every),
            keys: [("share".to_owned(), toml::Value::Float(share))]
                .into_iter()
                .collect(),
        });
    let objective = prop_oneof![
        (0.01f64..9.0).prop_map(|temperature| Objective::Simclr { temperature }),
        (0.0f64..1.0, any::<u32>()).prop_map(|(momentum, width)| Objective::Byol {
            momentum,
            head: Head { width, depth: 1 }
        }),
    ];
    (
        any::<String>(),
        0..=i64::MAX as u64,
        1e-12f64..1e12,
        objective,
        prop::collection::vec(plugin, 0..4),
        prop::collection::btree_map(any::<String>(), any::<u32>(), 0..4),
        prop::option::of(
            any::<[f32; 2]>().prop_filter("numbers", |x| !x.iter().any(|x| x.is_nan())),
        ),
    )
        .prop_map(
            |(name, seed, rate, objective, plugins, limits, crop)| Experiment {
                name,
                seed,
                optimizer: Optimizer {
                    rate,
                    ..Optimizer::default()
                },
                objective,
                plugins,
                loose: Loose {
                    tagged: Some(LooseTagged::Local {
                        path: "p".to_owned(),
                    }),
                    ..Loose::default()
                },
                precision: Precision::Half,
                limits,
                crop: crop.map(|sides| sides.map(f64::from)),
            },
        )
}

proptest! {
    #[test]
    fn a_resolved_config_loads_to_itself(value in experiment()) {
        let text = toml::to_string(&value).unwrap();
        let first = load_text::<Experiment>("a.toml", &text, &[]).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&first.value, &value);
        let again = load_text::<Experiment>("b.toml", &first.resolved, &[]).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&again.resolved, &first.resolved);
        prop_assert_eq!(&again.digest, &first.digest);
        prop_assert_eq!(again.value, value);
    }

    #[test]
    fn flags_over_file_over_defaults(seed in prop::option::of(0u64..99), flag in prop::option::of(0u64..99)) {
        let text = seed.map_or_else(String::new, |seed| format!("seed = {seed}\n")) + "name = \"x\"";
        let sets: Vec<String> = flag.iter().map(|seed| format!("seed={seed}")).collect();
        let loaded = load_text::<Experiment>("a.toml", &text, &sets).unwrap();
        prop_assert_eq!(loaded.value.seed, flag.or(seed).unwrap_or(7));
    }

    #[test]
    fn no_text_and_no_flag_brings_the_loader_down(text in "([a-z\"'=.\\[\\]{}# \\n0-9é-]|name|optimizer|kind|objective){0,60}", flag in "[a-z\"=.\\[\\]{}0-9é ]{0,16}") {
        let _ = load_text::<Experiment>("a.toml", &text, &[flag]);
    }

    #[test]
    fn every_wrong_key_is_told(wrong in prop::sample::subsequence(vec!["seed", "optimizer.rate", "optimizer.nesterov", "plugins[0].every", "plugins[1].every", "objective.temperature", "limits.a", "precision"], 1..8)) {
        let mut sets: Vec<String> = wrong.iter().map(|key| format!("{key}={{}}")).collect();
        sets.reverse();
        let text = "name = \"x\"\nplugins = [{ kind = \"a\" }, { kind = \"b\" }]\nobjective.kind = \"simclr\"";
        let errors = load_text::<Experiment>("a.toml", text, &sets).unwrap_err();
        let mut told: Vec<String> = errors.errors().iter().map(|error| error.key.clone()).collect();
        told.sort();
        let mut expected: Vec<String> = wrong.iter().map(|&key| key.to_owned()).collect();
        expected.sort();
        prop_assert_eq!(told, expected);
    }
}

#[test]
fn the_digest_depends_on_the_values_alone() {
    let one = loaded("name = \"x\"\n[optimizer]\nrate = 1\nwarmup = 0", &[]);
    let other = loaded(
        "optimizer = { rate = 1.0 } # the same\nname = 'x'",
        &["seed=7"],
    );
    assert_eq!(one.resolved, other.resolved);
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.short_digest(), &one.digest[..8]);
    assert_ne!(
        one.digest,
        loaded("name = \"x\"\noptimizer.rate = 1.5", &[]).digest
    );
}

#[test]
fn the_resolved_text_has_every_key() {
    assert_eq!(
        loaded(
            "name = \"x\"\n[[plugins]]\nkind = \"a\"\ndepth = 2",
            &["crop=[0.25, 1]"]
        )
        .resolved,
        "crop = [0.25, 1.0]\nname = \"x\"\nprecision = \"full\"\nseed = 7\n\n[limits]\n\n[loose]\nfolder = \"\"\n\n\
         [objective]\nkind = \"simclr\"\ntemperature = 0.5\n\n[optimizer]\nnesterov = false\nrate = 0.1\nwarmup = 0\n\n\
         [[plugins]]\ndepth = 2\nevery = \"1 steps\"\nkind = \"a\"\n"
    );
}

#[test]
fn a_type_that_does_not_read_what_it_writes_is_found() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Wrong {
        #[serde(rename(serialize = "b"))]
        a: u32,
    }
    impl Validate for Wrong {
        fn validate(&self, _: &mut Report<'_>) {}
    }
    let errors = load_text::<Wrong>("a.toml", "a = 1", &[])
        .unwrap_err()
        .to_string();
    assert_eq!(
        errors,
        "a.toml: the resolved config cannot be read back: missing field `a`"
    );

    #[derive(Debug, Serialize, Deserialize)]
    struct Drifts {
        #[serde(serialize_with = "one_more")]
        a: u32,
    }
    fn one_more<S: serde::Serializer>(a: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(a + 1)
    }
    impl Validate for Drifts {
        fn validate(&self, _: &mut Report<'_>) {}
    }
    let errors = load_text::<Drifts>("a.toml", "a = 1", &[])
        .unwrap_err()
        .to_string();
    assert_eq!(
        errors,
        "a.toml: the resolved config changes when it is read back; its types must read what they write"
    );
}
