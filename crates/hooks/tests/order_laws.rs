//! The order of random sets of plugins, beside all arrangements tried one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod manifests;

use afterimage_hooks::{HooksError, Host, Manifest, order};
use manifests::{Build, ids, plugin};
use proptest::prelude::*;

/// Names for as many resources as a generated set of plugins can have.
const RESOURCES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6"];

/// The lexicographically first arrangement of `0..n` in which every `(before, after)` pair holds,
/// by trying all of them.
fn first_by_trial(n: usize, pairs: &[(usize, usize)]) -> Option<Vec<usize>> {
    fn extend(n: usize, pairs: &[(usize, usize)], row: &mut Vec<usize>) -> bool {
        if row.len() == n {
            let at = |x| row.iter().position(|&y| y == x);
            return pairs.iter().all(|&(before, after)| at(before) < at(after));
        }
        for next in 0..n {
            if !row.contains(&next) {
                row.push(next);
                if extend(n, pairs, row) {
                    return true;
                }
                row.pop();
            }
        }
        false
    }
    let mut row = Vec::new();
    extend(n, pairs, &mut row).then_some(row)
}

/// Plugins with some edges; `by_resource` says whether an edge is a resource or an `after`.
fn with_edges(n: usize, edges: &[(usize, usize, bool)]) -> Vec<Manifest> {
    (0..n)
        .map(|index| {
            let mut manifest = plugin(&index.to_string(), index + 1).provides(&[RESOURCES[index]]);
            for &(before, _, by_resource) in edges.iter().filter(|e| e.1 == index) {
                if by_resource {
                    manifest.reads.push(RESOURCES[before]);
                } else {
                    manifest.after.push(before.to_string());
                }
            }
            manifest
        })
        .collect()
}

proptest! {
    #[test]
    fn a_random_set_gets_the_first_arrangement_that_keeps_every_edge(
        n in 1usize..6,
        raw in prop::collection::vec((0usize..6, 0usize..6, any::<bool>()), 0..8),
    ) {
        let edges: Vec<_> = raw.into_iter().filter(|e| e.0 < n && e.1 < n && e.0 != e.1).collect();
        let pairs: Vec<_> = edges.iter().map(|e| (e.0, e.1)).collect();
        let manifests = with_edges(n, &edges);
        let refs: Vec<&Manifest> = manifests.iter().collect();
        match (order(&refs, &Host::default()), first_by_trial(n, &pairs)) {
            (Ok(sorted), Some(expected)) => prop_assert_eq!(sorted, expected),
            (Err(errors), None) => {
                prop_assert_eq!(errors.len(), 1);
                prop_assert!(matches!(errors[0], HooksError::Cycle { .. }), "{:?}", errors);
            }
            (got, expected) => prop_assert!(false, "{:?} where {:?} is right", got, expected),
        }
    }

    #[test]
    fn readers_in_any_permutation_keep_their_providers_first(
        mut set in Just(vec![
            plugin("p0", 1).provides(&["r0"]),
            plugin("p1", 2).provides(&["r1"]),
            plugin("a", 3).reads(&["r0"]),
            plugin("b", 4).reads(&["r1"]),
            plugin("c", 5).reads(&["r0", "r1"]),
        ]).prop_shuffle(),
    ) {
        let sorted = ids(&set);
        let at = |id: &str| sorted.iter().position(|x| x == id);
        prop_assert!(at("p0") < at("a") && at("p0") < at("c"));
        prop_assert!(at("p1") < at("b") && at("p1") < at("c"));
        set.retain(|m| m.id.starts_with('p'));
        let in_config: Vec<&str> = set.iter().map(|m| m.id.as_str()).collect();
        let in_order: Vec<&str> = sorted.iter().map(String::as_str).filter(|id| id.starts_with('p')).collect();
        prop_assert_eq!(in_order, in_config);
    }
}
