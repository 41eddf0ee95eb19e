//! The samples along their first two principal components.

use afterimage_coreset::{Points, PrincipalAxes, spread};
use afterimage_report::{Dot, Scatter, Section};
use maud::{Markup, html};

use super::{Choice, cut};

/// Samples that are drawn.
const DRAWN: usize = 2_000;
/// Chosen samples among them, at most.
const CHOSEN: usize = 1_000;

/// What is drawn.
pub(super) struct Map {
    axes: PrincipalAxes,
    drawn: Drawn,
    scatter: Scatter,
    /// Samples, and chosen ones, in all.
    all: (usize, usize),
}

/// Samples that are drawn.
#[derive(Debug, PartialEq)]
struct Drawn {
    /// Places in the order of choice, ascending.
    chosen: Vec<usize>,
    /// Numbers of samples that were not chosen, ascending.
    others: Vec<usize>,
}

impl Drawn {
    /// All of `indices`, or evenly spread ones, and evenly spread ones of the other `samples`.
    fn of(indices: &[usize], samples: usize) -> Self {
        let mut is_chosen = vec![false; samples];
        for index in indices {
            is_chosen[*index] = true;
        }
        let others = || (0..samples).filter(|sample| !is_chosen[*sample]);
        let chosen = spread(indices.len(), CHOSEN);
        let wanted = spread(others().count(), DRAWN - chosen.len());
        let mut wanted = wanted.into_iter().peekable();
        let others = others().zip(0..);
        let others = others.filter(|(_, place)| wanted.next_if_eq(place).is_some());
        Self {
            others: others.map(|(sample, _)| sample).collect(),
            chosen,
        }
    }
}

impl Map {
    /// The map of a choice; none of samples of which the factors of gradients are held.
    pub(super) fn of(choice: &Choice<'_>) -> Option<Self> {
        let Points::Rows(rows) = choice.points else {
            return None;
        };
        let coreset = choice.coreset;
        let axes = PrincipalAxes::of(rows);
        let drawn = Drawn::of(&coreset.indices, rows.rows());
        let chosen = drawn.chosen.iter();
        let chosen = chosen.map(|place| (coreset.indices[*place], Some(coreset.weights[*place])));
        let others = drawn.others.iter().map(|sample| (*sample, None));
        let samples: Vec<(usize, Option<f64>)> = chosen.chain(others).collect();
        let (groups, of) = groups(choice, samples.iter().map(|(sample, _)| *sample));
        let dot = |((sample, weight), group): (&(usize, Option<f64>), usize)| {
            let [x, y] = axes.place(rows.row(*sample));
            Dot {
                x,
                y,
                group,
                weight: *weight,
                name: choice.name(*sample),
            }
        };
        let along = |at: usize, name: &str| {
            format!(
                "{name} component, {} of the variance",
                percent(axes.shares()[at])
            )
        };
        let scatter = Scatter {
            title: "The chosen samples among the others".to_owned(),
            axes: [along(0, "first"), along(1, "second")],
            dots: samples.iter().zip(of).map(dot).collect(),
            groups,
            words: [
                "chosen, the area is the weight".to_owned(),
                "not chosen".to_owned(),
            ],
        };
        Some(Self {
            all: (rows.rows(), coreset.indices.len()),
            axes,
            drawn,
            scatter,
        })
    }

    pub(super) fn variance(&self) -> [f64; 2] {
        self.axes.shares()
    }

    /// Chosen samples that are drawn.
    pub(super) fn chosen(&self) -> usize {
        self.drawn.chosen.len()
    }

    /// Other samples that are drawn.
    pub(super) fn others(&self) -> usize {
        self.drawn.others.len()
    }

    pub(super) fn section(&self) -> Section {
        Section::new("Map").note(self.note()).content(&self.scatter)
    }

    fn note(&self) -> Markup {
        let [first, second] = self.axes.shares();
        let (samples, chosen) = self.all;
        let others = samples - chosen;
        let part = |drawn: usize, all: usize, what: &str| match drawn < all {
            true => format!("{drawn} of {all} {what}, evenly spread"),
            false => format!("all {all} {what}"),
        };
        html! {
            "Where samples lie along the two directions in which they vary most, their first two principal components. \
             These hold " (percent(first)) " and " (percent(second)) " of the variance, " (percent(first + second))
            " together: samples that lie over each other here may be far apart in what is left. Drawn are "
            (part(self.chosen(), chosen, "chosen samples")) ", and "
            (part(self.others(), others, "others")) "."
            @if self.axes.samples() < samples {
                " The directions are those of " (self.axes.samples()) " samples, evenly spread."
            }
        }
    }
}

/// The classes that occur among `samples`, in their order, and for each sample the place of its own; all 0 without
/// classes.
fn groups(
    choice: &Choice<'_>,
    samples: impl ExactSizeIterator<Item = usize>,
) -> (Vec<String>, Vec<usize>) {
    let Some(labels) = choice.labels else {
        return (Vec::new(), vec![0; samples.len()]);
    };
    let classes: Vec<u32> = samples.map(|sample| labels.classes[sample]).collect();
    let mut there = classes.clone();
    there.sort_unstable();
    there.dedup();
    let place = |class: &u32| there.partition_point(|other| other < class);
    let of = classes.iter().map(place).collect();
    let name = |class: &u32| cut(&labels.names[*class as usize]);
    (there.iter().map(name).collect(), of)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_are_all_drawn_the_chosen_first() {
        let drawn = Drawn::of(&[4, 0], 5);
        assert_eq!(drawn.chosen, [0, 1]);
        assert_eq!(drawn.others, [1, 2, 3]);
        let all = Drawn::of(&[1, 0], 2);
        assert_eq!((all.chosen.len(), all.others.len()), (2, 0));
    }

    #[test]
    fn many_are_drawn_evenly_and_no_chosen_one_as_another() {
        let samples = 50_000;
        for every in [2, 20, 500] {
            let indices: Vec<usize> = (0..samples).step_by(every).collect();
            let drawn = Drawn::of(&indices, samples);
            assert_eq!(drawn.chosen.len(), indices.len().min(CHOSEN));
            assert_eq!(drawn.chosen.len() + drawn.others.len(), DRAWN);
            assert!(drawn.others.iter().all(|sample| sample % every != 0));
            let halves = drawn.others.iter().filter(|sample| **sample < samples / 2);
            let half = halves.count() as f64 / drawn.others.len() as f64;
            assert!((half - 0.5).abs() < 0.01, "{half}");
            assert!(drawn.others.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
