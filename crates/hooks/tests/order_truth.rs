//! Who may act on what knows the true labels.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod manifests;

use std::collections::BTreeSet;

use afterimage_hooks::{HooksError, Host, Manifest, RequestKind, Write, order};
use manifests::{Build, plugin};

#[test]
fn what_measures_by_the_truth_must_not_act_on_it() {
    let reader = || Manifest {
        reads_truth: true,
        ..plugin("quality", 4)
    };
    let host = Host {
        requests: BTreeSet::from([RequestKind::SetPlan]),
        ..Host::default()
    };
    assert!(order(&[&reader()], &host).is_ok());
    let acting = [
        reader().writes(Write::LossWeights),
        reader().provides(&["r0"]),
        Manifest {
            requests: vec![RequestKind::SetPlan],
            ..reader()
        },
    ];
    for manifest in acting {
        let errors = order(&[&manifest], &host).unwrap_err();
        assert!(
            matches!(&errors[..], [HooksError::ActsOnTruth { .. }]),
            "{errors:?}"
        );
        assert!(errors[0].to_string().contains("\"quality\" (run.toml:4)"));
        let named = Manifest {
            oracle: true,
            ..manifest
        };
        assert!(order(&[&named], &host).is_ok());
    }
}

#[test]
fn what_an_oracle_provides_must_not_be_acted_on_either() {
    let oracle = Manifest {
        reads_truth: true,
        oracle: true,
        ..plugin("oracle", 3).provides(&["r0"])
    };
    let reader = || plugin("reader", 5).reads(&["r0"]);
    let host = Host {
        requests: BTreeSet::from([RequestKind::SetPlan]),
        ..Host::default()
    };
    assert!(order(&[&oracle, &reader()], &host).is_ok());
    let acting = [
        reader().writes(Write::LossWeights),
        reader().provides(&["r1"]),
        Manifest {
            requests: vec![RequestKind::SetPlan],
            ..reader()
        },
    ];
    for manifest in acting {
        let errors = order(&[&oracle, &manifest], &host).unwrap_err();
        assert!(
            matches!(&errors[..], [HooksError::ActsOnOracle { .. }]),
            "{errors:?}"
        );
        let text = errors[0].to_string();
        assert!(text.contains("\"reader\" (run.toml:5)"), "{text}");
        assert!(text.contains("\"r0\" of \"oracle\" (run.toml:3)"), "{text}");
        let named = Manifest {
            oracle: true,
            ..manifest
        };
        assert!(order(&[&oracle, &named], &host).is_ok());
    }
}
