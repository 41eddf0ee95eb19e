//! Random sets of layers beside a chosen one.

use std::collections::BTreeSet;

use afterimage_model::Layer;

use crate::fine_tune::{LayerChoice, LayerError};

/// Sets of as many of `layers` as are `chosen`, by `seed`: no two alike and none of them `chosen`; `wanted`,
/// or all that there are.
///
/// # Errors
/// More chosen layers than there are.
pub(super) fn others(
    layers: &[Layer],
    chosen: &[Layer],
    wanted: u64,
    seed: u64,
) -> Result<Vec<Vec<Layer>>, LayerError> {
    // All but the chosen one.
    if choices(layers.len(), chosen.len()) - 1 <= wanted {
        let sets = every(layers.len(), chosen.len()).into_iter();
        let of = |set: Vec<usize>| set.into_iter().map(|at| layers[at].clone()).collect();
        return Ok(sets
            .map(of)
            .filter(|set: &Vec<Layer>| set != chosen)
            .collect());
    }
    let random = LayerChoice::Random(chosen.len());
    let mut seen = BTreeSet::from([sites(chosen)]);
    let mut found = Vec::new();
    let mut draw = 0u64;
    while (found.len() as u64) < wanted {
        draw += 1;
        // Another seed for each draw, and none of them the run's own.
        let set = random.choose(layers, seed ^ (draw << 32), "".as_ref())?;
        if seen.insert(sites(&set)) {
            found.push(set);
        }
    }
    Ok(found)
}

/// What there is to say where fewer than `wanted` controls are `found` for `count` of `all` layers.
pub(super) fn fewer(wanted: u64, found: usize, count: usize, all: usize) -> Option<String> {
    let why = format!("other choices of {count} of {all} layers");
    match found {
        _ if found as u64 >= wanted => None,
        0 => Some(format!(
            "no random control: there are no {why}, so that nothing tells the exchange of these layers from \
             that of any"
        )),
        _ => Some(format!(
            "{found} random controls, as many as there are {why}; {wanted} were asked for"
        )),
    }
}

fn sites(set: &[Layer]) -> Vec<String> {
    set.iter().map(|layer| layer.site.clone()).collect()
}

/// How many sets of `count` of `all` there are, or the largest number where there are more.
pub(super) fn choices(all: usize, count: usize) -> u64 {
    let mut ways: u128 = 1;
    for taken in 0..count.min(all.saturating_sub(count)) {
        // Whole at each step, and never less than before.
        ways = ways * (all - taken) as u128 / (taken + 1) as u128;
        if ways >= u128::from(u64::MAX) {
            return u64::MAX;
        }
    }
    ways as u64
}

/// All sets of `count` of the places below `all`, each ascending.
fn every(all: usize, count: usize) -> Vec<Vec<usize>> {
    let mut sets = vec![Vec::new()];
    for taken in 0..count {
        // The last place that leaves enough behind it.
        let end = (all + taken + 1).saturating_sub(count);
        let longer = |set: Vec<usize>| {
            let next = set.last().map_or(0, |last| last + 1);
            (next..end).map(move |at| [set.as_slice(), &[at]].concat())
        };
        sets = sets.into_iter().flat_map(longer).collect();
    }
    sets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn layers() -> Vec<Layer> {
        let layer = |name: &str| Layer {
            site: format!("encoder.{name}.conv"),
            parameters: Vec::new(),
        };
        ["a", "b", "c", "d", "e"].map(layer).to_vec()
    }

    #[test]
    fn controls_differ_from_each_other_and_from_what_is_chosen() {
        let all = layers();
        // By every seed and number of layers; all others, where as many are asked for or more.
        for seed in 0..20 {
            for (count, there) in [(0, 0), (1, 4), (2, 9), (3, 9), (4, 4), (5, 0)] {
                for wanted in [0, 1, 2, 3, 4, 8, 9, 1000] {
                    let chosen = &all[5 - count..];
                    let found = others(&all, chosen, wanted, seed).unwrap();
                    assert_eq!(found.len() as u64, wanted.min(there), "{count} {wanted}");
                    let sets: BTreeSet<_> = found.iter().map(|set| sites(set)).collect();
                    assert_eq!(sets.len(), found.len());
                    assert!(found.iter().all(|set| set.len() == count && set != chosen));
                }
            }
        }
    }

    #[test]
    fn draws_that_differ_are_those_of_the_seed() {
        let all = layers();
        let random = LayerChoice::Random(2);
        let drawn = |draw: u64| random.choose(&all, 3 ^ (draw << 32), "".as_ref()).unwrap();
        let first = drawn(1);
        let chosen = all.iter().find(|layer| !first.contains(layer)).unwrap();
        let chosen = [chosen.clone(), first[0].clone()];
        assert_eq!(others(&all, &chosen, 1, 3).unwrap(), [first]);
    }

    #[test]
    fn choices_are_counted() {
        assert_eq!(choices(54, 27), 1_946_939_425_648_112);
        assert_eq!(choices(500, 250), u64::MAX);
        assert_eq!(choices(usize::MAX, 1), u64::MAX);
        assert_eq!(choices(30, 29), 30);
        assert_eq!((choices(8, 8), choices(8, 0)), (1, 1));
        assert_eq!(every(30, 29).len(), 30);
        assert_eq!(every(5, 2).len(), 10);
        assert_eq!(every(5, 0), [Vec::<usize>::new()]);
    }

    #[test]
    fn too_few_are_told() {
        assert_eq!(fewer(5, 5, 1, 8), None);
        assert_eq!(fewer(0, 0, 8, 8), None);
        let few = fewer(9, 7, 1, 8).unwrap();
        assert!(few.starts_with("7 random controls"), "{few}");
        let none = fewer(5, 0, 8, 8).unwrap();
        assert!(none.contains("no other choices of 8 of 8 layers"), "{none}");
    }
}
