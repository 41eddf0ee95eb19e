//! What learners answer of the rows that they have not seen, and which labels look wrong by it.

use afterimage_numeric::chance_of_equal;
use rayon::prelude::*;

use crate::answers::Answers;
use crate::cut::{Ballot, Count, largest};
use crate::forest::Done;
use crate::problem::{Problem, Target};

/// Rows that a thread takes at a time.
const ROWS: usize = 256;
/// The weight of a learner that is always right, beside which labels are never right by chance.
const FULL: f64 = 1000.0;

/// What the learners that have not seen a row say of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The class that most of them say, as a position in the names; the label itself of equally frequent
    /// ones. None for numbers, and where no learner could tell.
    pub class: Option<u32>,
    /// The share of learners that say this class, in [0, 1]; NaN for numbers.
    pub share: f64,
    /// The share of learners that say the label itself, in [0, 1]; NaN for numbers.
    pub given: f64,
    /// The mean of the numbers that they say; NaN for classes, and where no learner could tell.
    pub number: f64,
    /// Whether the label looks wrong, so that `class` is suggested: it is another class, and either at least
    /// as large a share says it as says it of the rows of that class on average (the threshold of confident
    /// learning, Northcutt et al. 2021), or the row is among those of which another class is said most
    /// clearly, up to seven eighths of the number of wrong labels that confident learning counts. For the
    /// second, learners weigh what they are more often right than by chance.
    pub suspect: bool,
}

/// Answers by place.
#[derive(Debug)]
pub(crate) enum Votes {
    /// How many learners say each class, and how much these weigh, `[rows, classes]`.
    Classes {
        counts: Vec<u32>,
        weights: Vec<u32>,
        width: usize,
        /// The labels by place, and how often two of them are equal.
        labels: (Vec<u16>, f64),
    },
    /// Sums of what they say, in standard deviations from the mean, and how many do.
    Numbers { sums: Vec<f64>, counts: Vec<u32> },
}

impl Votes {
    /// No votes, on the labels `answers`.
    pub fn new(answers: &Answers) -> Self {
        match answers {
            Answers::Classes { of, count } => Self::Classes {
                counts: vec![0; of.len() * count],
                weights: vec![0; of.len() * count],
                width: *count,
                labels: (of.clone(), chance(of, *count)),
            },
            Answers::Numbers { scaled, .. } => Self::Numbers {
                sums: vec![0.0; scaled.len()],
                counts: vec![0; scaled.len()],
            },
        }
    }

    /// Bytes for `problem`.
    pub fn bytes(problem: &Problem) -> usize {
        problem.rows()
            * match problem.target() {
                Target::Classes { names, .. } => 8 * names.len() + 2,
                Target::Numbers(_) => 12,
            }
    }

    /// Adds learners, in their order.
    pub fn add(&mut self, learners: &[Done]) {
        match self {
            Self::Classes {
                counts,
                weights,
                width,
                labels,
            } => {
                let skills: Vec<u32> = (learners.par_iter())
                    .map(|done| skill(&done.said, labels))
                    .collect();
                counts
                    .par_chunks_mut(ROWS * *width)
                    .zip(weights.par_chunks_mut(ROWS * *width))
                    .enumerate()
                    .for_each(|(chunk, (counts, weights))| {
                        for (done, skill) in learners.iter().zip(&skills) {
                            for ((counts, weights), said) in counts
                                .chunks_exact_mut(*width)
                                .zip(weights.chunks_exact_mut(*width))
                                .zip(&done.said[chunk * ROWS..])
                                .filter(|(_, said)| !said.is_nan())
                            {
                                counts[*said as usize] += 1;
                                weights[*said as usize] += skill;
                            }
                        }
                    });
            }
            Self::Numbers { sums, counts } => sums
                .par_chunks_mut(ROWS)
                .zip(counts.par_chunks_mut(ROWS))
                .enumerate()
                .for_each(|(chunk, (sums, counts))| {
                    for done in learners {
                        let said = &done.said[chunk * ROWS..];
                        for ((sum, count), said) in sums.iter_mut().zip(&mut *counts).zip(said) {
                            if !said.is_nan() {
                                *sum += f64::from(*said);
                                *count += 1;
                            }
                        }
                    }
                }),
        }
    }

    /// What is said of each of `groups`, places behind each other that share it and their label; of numbers in the
    /// scale of this mean and deviation.
    pub fn of_groups(&self, groups: &[u32], (mean, deviation): (f64, f64)) -> Vec<Prediction> {
        let bounds = || (groups.windows(2)).map(|pair| (pair[0] as usize, pair[1] as usize));
        match self {
            Self::Classes {
                counts,
                weights,
                width,
                labels: (labels, _),
            } => {
                let rows = |of| {
                    bounds().map(move |(from, to)| {
                        let votes = sum(of, *width, from, to);
                        (usize::from(labels[from]), votes, (to - from) as f64)
                    })
                };
                let least = thresholds(rows(counts), *width);
                let mut said: Vec<Prediction> = rows(counts)
                    .map(|(label, votes, _)| judge(label, &votes, &least))
                    .collect();
                // Where no learner is better than chance, all weigh the same.
                match weights.iter().any(|weight| *weight > 0) {
                    true => add_counted(&mut said, || rows(weights), *width),
                    false => add_counted(&mut said, || rows(counts), *width),
                }
                said
            }
            Self::Numbers { sums, counts } => bounds()
                .map(|(from, to)| {
                    let sum: f64 = sums[from..to].iter().sum();
                    let count: u32 = counts[from..to].iter().sum();
                    Prediction {
                        class: None,
                        share: f64::NAN,
                        given: f64::NAN,
                        number: match count {
                            0 => f64::NAN,
                            _ => mean + deviation * (sum / f64::from(count)),
                        },
                        suspect: false,
                    }
                })
                .collect(),
        }
    }
}

/// How often two labels are equal.
fn chance(labels: &[u16], classes: usize) -> f64 {
    let mut counts = vec![0usize; classes];
    labels
        .iter()
        .for_each(|label| counts[usize::from(*label)] += 1);
    chance_of_equal(&counts)
}

/// How much more often than by chance a learner says the label, in thousandths, 0 at least.
fn skill(said: &[f32], (labels, chance): &(Vec<u16>, f64)) -> u32 {
    let told = || said.iter().zip(labels).filter(|(said, _)| !said.is_nan());
    let right = told().filter(|(said, label)| **said == f32::from(**label));
    let share = right.count() as f64 / told().count().max(1) as f64;
    (FULL * (share - chance)).round().max(0.0) as u32
}

/// The votes on the places from `from` to `to`.
fn sum(votes: &[u32], width: usize, from: usize, to: usize) -> Vec<u64> {
    let mut sum = vec![0u64; width];
    for place in votes[from * width..to * width].chunks_exact(width) {
        sum.iter_mut()
            .zip(place)
            .for_each(|(sum, count)| *sum += u64::from(*count));
    }
    sum
}

/// Marks those that look wrong by their number; `rows` are labels, weights of votes, and how many rows these
/// are of.
fn add_counted<R>(said: &mut [Prediction], rows: impl Fn() -> R, classes: usize)
where
    R: Iterator<Item = (usize, Vec<u64>, f64)>,
{
    let mut count = Count::new(thresholds(rows(), classes));
    let mut margins = Vec::with_capacity(said.len());
    for (said, (label, votes, rows)) in said.iter().zip(rows()) {
        count.add(&Ballot {
            label,
            votes: &votes,
            rows,
        });
        let all: u64 = votes.iter().sum();
        let of = |class: usize| votes[class] as f64 / all as f64;
        let other = said.class.map(|class| class as usize);
        let other = other.filter(|other| *other != label && all > 0);
        margins.push((other.map_or(0.0, |other| of(other) - of(label)), rows));
    }
    for at in largest(&margins, count.wrong()) {
        said[at].suspect = true;
    }
}

/// For each class the mean share of learners that say it of the rows with this label; `rows` are labels,
/// votes, and how many rows these are of.
fn thresholds(rows: impl Iterator<Item = (usize, Vec<u64>, f64)>, classes: usize) -> Vec<f64> {
    let mut means = vec![(0.0, 0.0); classes];
    for (label, votes, size) in rows {
        let all: u64 = votes.iter().sum();
        if all > 0 {
            let (sum, count) = &mut means[label];
            *sum += size * votes[label] as f64 / all as f64;
            *count += size;
        }
    }
    means.into_iter().map(|(sum, count)| sum / count).collect()
}

/// What `votes` say of a row whose label is `label`.
fn judge(label: usize, votes: &[u64], least: &[f64]) -> Prediction {
    let all: u64 = votes.iter().sum();
    let first = |best: usize, at: usize| if votes[at] > votes[best] { at } else { best };
    let best = (0..votes.len()).fold(label, first);
    let share = votes[best] as f64 / all as f64;
    Prediction {
        class: (all > 0).then_some(best as u32),
        share,
        given: votes[label] as f64 / all as f64,
        number: f64::NAN,
        suspect: all > 0 && best != label && share >= least[best],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_class_is_suggested_where_it_is_said_as_often_as_of_its_own_rows() {
        let rows = [
            (0, vec![9, 1, 0], 1.0),
            (0, vec![7, 3, 0], 1.0),
            (1, vec![2, 8, 0], 1.0),
            (1, vec![8, 2, 0], 1.0),
            (2, vec![0, 0, 0], 1.0),
        ];
        let least = thresholds(rows.iter().cloned(), 3);
        assert_eq!(least[..2], [0.8, 0.5]);
        let judged: Vec<Prediction> = rows
            .iter()
            .map(|(label, votes, _)| judge(*label, votes, &least))
            .collect();
        let suspects: Vec<bool> = judged.iter().map(|judged| judged.suspect).collect();
        assert_eq!(suspects, [false, false, false, true, false]);
        assert_eq!((judged[3].class, judged[3].share), (Some(0), 0.8));
        assert_eq!(judged[4].class, None);
        // Not as sure as of the first class's own rows; and of equals the label.
        assert!(!judge(1, &[7, 3, 0], &least).suspect);
        assert_eq!(judge(1, &[5, 5, 0], &least).class, Some(1));
    }
}
