//! The heaviest of the chosen samples, and those that are there more than once.

use std::collections::BTreeMap;

use afterimage_report::{Cell, Section, Table};

use super::{Choice, cut};

/// Samples and sets in the lists.
const LISTED: usize = 20;
/// Samples that are named of a set.
const NAMED: usize = 5;

/// The chosen samples of the largest weights; empty where all weights are equal.
pub(super) fn heaviest(choice: &Choice<'_>) -> Section {
    let weights = &choice.coreset.weights;
    let section = Section::new("Heaviest of the chosen").note(
        "A weight is, but for other settings, the number of samples that are nearer to this one than to any other of \
         the chosen.",
    );
    let places = largest(weights);
    let first = weights.first();
    if weights.len() > 1 && weights.iter().all(|weight| Some(weight) == first) {
        return section;
    }
    let all: f64 = weights.iter().sum();
    let share = |weight: f64| if all > 0.0 { weight / all } else { 0.0 };
    let mut header = vec!["order of choice", "sample"];
    header.extend(choice.ids.map(|_| "id"));
    header.extend(choice.labels.map(|_| "class"));
    header.extend(["weight", "share of all weight"]);
    let row = |place: usize| {
        let sample = choice.coreset.indices[place];
        let mut cells = vec![
            Cell::from((place + 1).to_string()),
            Cell::from(sample.to_string()),
        ];
        cells.extend(choice.ids.map(|ids| Cell::text(cut(&ids[sample]))));
        cells.extend(choice.class(sample).map(|class| Cell::text(cut(class))));
        cells.push(Cell::number(weights[place]));
        cells.push(Cell::number(share(weights[place])));
        cells
    };
    let rows = places.into_iter().take(LISTED).map(row);
    section.content(Table::new(&header).sorts("heaviest").rows(rows))
}

/// Places of `weights`, the largest first, the earlier of equal ones.
fn largest(weights: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..weights.len()).collect();
    places.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    places
}

/// Sets of chosen samples that are equal, with their weights; empty without any.
pub(super) fn repeats(choice: &Choice<'_>) -> Section {
    let section = Section::new("Chosen more than once").note(choice.repeats);
    let coreset = choice.coreset;
    let sets = sets(&coreset.repeats());
    if sets.is_empty() {
        return section;
    }
    let name = |place: &usize| choice.name(coreset.indices[*place]);
    let weight = |place: &usize| coreset.weights[*place].to_string();
    let some = |places: &[usize], of: &dyn Fn(&usize) -> String| {
        let first: Vec<String> = places.iter().take(NAMED).map(of).collect();
        let more = if places.len() > NAMED { ", …" } else { "" };
        first.join(", ") + more
    };
    let row = |(first, others): &(usize, Vec<usize>)| {
        let mut cells = vec![Cell::text(name(first))];
        let class = choice.class(coreset.indices[*first]);
        cells.extend(class.map(|class| Cell::text(cut(class))));
        cells.extend([
            Cell::number(coreset.weights[*first]),
            Cell::from(others.len().to_string()),
            Cell::text(some(others, &name)),
            Cell::text(some(others, &weight)),
        ]);
        cells
    };
    let mut header = vec!["chosen first"];
    header.extend(choice.labels.map(|_| "class"));
    header.extend(["weight", "equal ones", "which", "their weights"]);
    let rows = sets.iter().take(LISTED).map(row);
    section.content(Table::new(&header).sorts("repeats").rows(rows))
}

/// The first of each set of equal samples with the others, by their places; the largest set first.
fn sets(repeats: &[(usize, usize)]) -> Vec<(usize, Vec<usize>)> {
    let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, first) in repeats {
        sets.entry(*first).or_default().push(*place);
    }
    let mut sets: Vec<(usize, Vec<usize>)> = sets.into_iter().collect();
    sets.sort_by_key(|(_, others)| std::cmp::Reverse(others.len()));
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_the_earlier_of_equal_ones() {
        assert_eq!(largest(&[1.0, 3.0, 1.0, 3.0]), [1, 3, 0, 2]);
        let found = sets(&[(2, 0), (3, 1), (4, 1)]);
        assert_eq!(found, [(1, vec![3, 4]), (0, vec![2])]);
    }
}
