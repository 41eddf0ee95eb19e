//! The classes of a choice, beside what a draw from all samples would take of each.

use afterimage_coreset::read::Labels;
use afterimage_report::{Cell, Section, Table};

use super::distances::Distances;
use super::{Choice, cut};

/// Classes in the table.
const LISTED: usize = 500;

/// What is known of a class.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Class {
    samples: usize,
    chosen: usize,
}

pub(super) fn section(choice: &Choice<'_>, distances: &Distances<'_>) -> Section {
    let section = Section::new("Classes");
    let Some(labels) = choice.labels else {
        return section;
    };
    let classes = counted(labels, &choice.coreset.indices);
    let mean = |distances: &[f32]| means(labels, choice.looked_at, distances);
    let (means, random) = (mean(&distances.chosen), distances.random.map(mean));
    let mut header = vec![
        "class",
        "samples",
        "chosen",
        "share",
        "expected",
        "± sd",
        "mean distance",
    ];
    header.extend(random.as_ref().map(|_| "at random"));
    let all = labels.classes.len();
    let taken = choice.coreset.indices.len();
    let row = |at: usize| {
        let class = classes[at];
        let (expected, deviation) = expected(class.samples, taken, all);
        let mut cells = vec![
            Cell::text(cut(&labels.names[at])),
            Cell::from(class.samples.to_string()),
            Cell::from(class.chosen.to_string()),
            Cell::number(class.chosen as f64 / class.samples.max(1) as f64),
            Cell::number(expected),
            Cell::number(deviation),
            distance(means[at]),
        ];
        cells.extend(random.as_ref().map(|random| distance(random[at])));
        cells
    };
    let listed = classes.len().min(LISTED);
    let rest = match classes.len() - listed {
        0 => String::new(),
        rest => format!(" {rest} classes more are in summary.json."),
    };
    let random = match random {
        Some(_) => ", and to that of as many drawn of each class at random",
        None => "",
    };
    section
        .note(format!(
            "Each class is chosen from apart. Expected is what {taken} samples drawn from all together would have of it, \
             with its standard deviation over draws. Distances are those to the nearest chosen one{random}; – where none \
             is known.{rest}"
        ))
        .content(Table::new(&header).sorts("classes").rows((0..listed).map(row)))
}

/// All and chosen samples of each class.
fn counted(labels: &Labels, indices: &[usize]) -> Vec<Class> {
    let mut classes = vec![Class::default(); labels.names.len()];
    for class in &labels.classes {
        classes[*class as usize].samples += 1;
    }
    for index in indices {
        classes[labels.classes[*index] as usize].chosen += 1;
    }
    classes
}

/// The mean and the standard deviation of how many of a class of `size` samples are among `taken` that are drawn
/// without replacement from `all` (the hypergeometric distribution).
fn expected(size: usize, taken: usize, all: usize) -> (f64, f64) {
    let (size, taken, all) = (size as f64, taken as f64, all as f64);
    let part = size / all;
    let variance = match all > 1.0 {
        true => taken * part * (1.0 - part) * (all - taken) / (all - 1.0),
        false => 0.0,
    };
    (taken * part, variance.max(0.0).sqrt())
}

/// The mean of the finite distances of each class; NaN where there is none.
fn means(labels: &Labels, of: &[usize], distances: &[f32]) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); labels.names.len()];
    for (sample, distance) in of.iter().zip(distances) {
        if distance.is_finite() {
            let (sum, count) = &mut sums[labels.classes[*sample] as usize];
            *sum += f64::from(*distance);
            *count += 1.0;
        }
    }
    sums.into_iter().map(|(sum, count)| sum / count).collect()
}

/// A mean distance.
fn distance(mean: f64) -> Cell {
    match mean.is_nan() {
        true => Cell::from("–"),
        false => Cell::number(mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_count_is_that_of_a_draw_without_replacement() {
        // Two of four of which two are of the class: none, one or two in 1, 4, 1 of 6 draws.
        let (mean, deviation) = expected(2, 2, 4);
        assert_eq!(mean, 1.0);
        assert!((deviation * deviation - 2.0 / 6.0).abs() < 1e-12);
        assert_eq!(expected(3, 4, 4), (3.0, 0.0));
        assert_eq!(expected(1, 1, 1), (1.0, 0.0));
    }

    #[test]
    fn classes_are_counted_and_their_distances_averaged() {
        let labels = Labels {
            classes: vec![0, 1, 0, 1, 1],
            names: vec!["a".to_owned(), "b".to_owned()],
        };
        let found = counted(&labels, &[1, 3]);
        assert_eq!((found[0].samples, found[0].chosen), (2, 0));
        assert_eq!((found[1].samples, found[1].chosen), (3, 2));
        let far = [f32::INFINITY, f32::NAN, f32::INFINITY, f32::NAN, 2.0];
        let found = means(&labels, &[0, 1, 2, 3, 4], &far);
        assert!(found[0].is_nan() && found[1] == 2.0);
    }
}
