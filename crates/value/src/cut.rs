//! How many labels look wrong: confident learning's count, on votes out of bag.

/// The part of the counted number that is taken: the count is an estimate, and the last of them are hard
/// cases more often than wrong labels.
const TAKEN: f64 = 7.0 / 8.0;

/// Votes on rows that are alike.
pub(crate) struct Ballot<'a> {
    /// Their label.
    pub label: usize,
    /// The weight of the learners that say each class.
    pub votes: &'a [u64],
    /// How many rows they are.
    pub rows: f64,
}

/// Counts the labels that are likely wrong.
///
/// A row is counted as of the class with most votes among those that have at least their threshold, the mean
/// share of votes that a class has on the rows labelled so. Of the rows with one label, the part that is
/// counted as of other classes is taken for the part of its labels that is wrong: the calibrated joint of
/// confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021, section 3.1).
pub(crate) struct Count {
    least: Vec<f64>,
    /// By label: rows, rows counted, rows counted as of another class.
    of: Vec<[f64; 3]>,
}

impl Count {
    /// A count with these thresholds by class; NaN where no row has a class.
    pub fn new(least: Vec<f64>) -> Self {
        let of = vec![[0.0; 3]; least.len()];
        Self { least, of }
    }

    /// Counts rows.
    pub fn add(&mut self, ballot: &Ballot<'_>) {
        let all: u64 = ballot.votes.iter().sum();
        let of = &mut self.of[ballot.label];
        of[0] += ballot.rows;
        if all == 0 {
            return;
        }
        let reaches =
            |class: &usize| ballot.votes[*class] as f64 / all as f64 >= self.least[*class];
        // The label itself, of equally frequent ones.
        let first = (0..self.least.len())
            .filter(reaches)
            .max_by_key(|&class| (ballot.votes[class], class == ballot.label));
        if let Some(class) = first {
            of[1] += ballot.rows;
            of[2] += if class == ballot.label {
                0.0
            } else {
                ballot.rows
            };
        }
    }

    /// How many labels are wrong, as far as this tells.
    pub fn wrong(&self) -> f64 {
        let part = |[rows, counted, other]: &[f64; 3]| match *counted > 0.0 {
            true => rows * other / counted,
            false => 0.0,
        };
        self.of.iter().map(part).sum()
    }
}

/// The places of those `margins` whose rows look wrong: the largest of those above 0, until seven eighths of
/// `wrong` rows are among them. A margin is by how much the share of another class is above that of the
/// label, with the number of rows.
pub(crate) fn largest(margins: &[(f64, f64)], wrong: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..margins.len())
        .filter(|&at| margins[at].0 > 0.0)
        .collect();
    // Of equals all or none, so that no order of the rows matters.
    order.sort_by(|&a, &b| margins[b].0.total_cmp(&margins[a].0));
    let (mut taken, mut rows) = (0, 0.0);
    for equal in order.chunk_by(|&a, &b| margins[a].0 == margins[b].0) {
        rows += equal.iter().map(|&at| margins[at].1).sum::<f64>();
        if rows > TAKEN * wrong {
            break;
        }
        taken += equal.len();
    }
    order.truncate(taken);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_the_classes_that_reach_their_thresholds() {
        let mut count = Count::new(vec![0.7, 0.5]);
        let rows: [(usize, [u64; 2], f64); 5] = [
            (0, [9, 1], 3.0),
            // Most votes for the first class, and not enough.
            (0, [6, 4], 1.0),
            (0, [1, 9], 1.0),
            (1, [8, 2], 1.0),
            (1, [5, 5], 1.0),
        ];
        for (label, votes, rows) in &rows {
            count.add(&Ballot {
                label: *label,
                votes,
                rows: *rows,
            });
        }
        // One of four of five rows, and one of two of two.
        assert!(
            (count.wrong() - (5.0 / 4.0 + 1.0)).abs() < 1e-12,
            "{}",
            count.wrong()
        );
    }

    #[test]
    fn the_largest_margins_are_taken_and_equals_together() {
        let margins = [(0.5, 1.0), (-0.2, 1.0), (0.9, 2.0), (0.5, 1.0), (0.1, 1.0)];
        assert_eq!(largest(&margins, 5.0), [2, 0, 3]);
        assert_eq!(largest(&margins, 4.0), [2]);
        assert_eq!(largest(&margins, 100.0), [2, 0, 3, 4]);
        assert!(largest(&margins, 0.0).is_empty());
    }
}
