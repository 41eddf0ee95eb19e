//! What a part of an image brings back of the rest: the déjà-vu test of one encoder.

use afterimage_numeric::{Area, largest_share, mean, standard_error};
use serde::Serialize;

/// Embeddings of whole images that the encoder was not trained on, with their classes: what a part of
/// another image is compared with.
#[derive(Debug, Clone)]
pub struct PublicSet {
    /// Rows of length 1, one after the other.
    rows: Vec<f64>,
    width: usize,
    labels: Vec<u32>,
    classes: usize,
}

/// What the neighbours of a part of one image say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recall {
    /// The class of most of the nearest public images; of equally many, of those that lie nearer.
    pub class: u32,
    /// Share of them that are of the image's own class, 0 to 1.
    pub own: f64,
    /// Whether the whole image lies nearer to its part than every public image.
    pub found: bool,
}

impl PublicSet {
    /// A set of `labels.len()` embeddings of `width` numbers each; `classes` is the number of classes.
    pub fn new(embeddings: &[f32], width: usize, labels: Vec<u32>, classes: usize) -> Self {
        let rows = embeddings.chunks_exact(width.max(1)).flat_map(unit);
        Self {
            rows: rows.collect(),
            width: width.max(1),
            labels,
            classes,
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Share of the images that are of the most frequent class: how often a guess that looks at
    /// nothing is right, at best.
    pub fn chance(&self) -> f64 {
        let mut counts = vec![0usize; self.classes];
        for label in &self.labels {
            counts[*label as usize] += 1;
        }
        largest_share(&counts)
    }

    /// What the `k` public images say that are nearest to the embedding `part`, by cosine similarity;
    /// `whole` is the embedding of the image that the part was cut from, and `label` its class.
    pub fn recall(&self, part: &[f32], whole: &[f32], label: u32, k: usize) -> Recall {
        let part: Vec<f64> = unit(part).collect();
        let cosine = |row: &[f64]| -> f64 { part.iter().zip(row).map(|(a, b)| a * b).sum() };
        let mut near: Vec<(f64, u32)> = self
            .rows
            .chunks_exact(self.width)
            .map(cosine)
            .zip(self.labels.iter().copied())
            .collect();
        let nearest = near
            .iter()
            .map(|(near, _)| *near)
            .fold(f64::NEG_INFINITY, f64::max);
        // A stable sort: of equally near images the first ones count.
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        near.truncate(k.max(1));
        let mut votes = vec![(0usize, 0.0); self.classes];
        for (cosine, label) in &near {
            let vote = &mut votes[*label as usize];
            *vote = (vote.0 + 1, vote.1 + cosine);
        }
        let of = |class: u32| votes.get(class as usize).copied().unwrap_or((0, 0.0));
        let class = (0..self.classes as u32).max_by(|a, b| {
            let (a_votes, b_votes) = (of(*a), of(*b));
            let order = a_votes
                .0
                .cmp(&b_votes.0)
                .then(a_votes.1.total_cmp(&b_votes.1));
            order.then(b.cmp(a))
        });
        let whole: Vec<f64> = unit(whole).collect();
        Recall {
            class: class.unwrap_or(0),
            own: of(label).0 as f64 / near.len().max(1) as f64,
            found: cosine(&whole) > nearest,
        }
    }
}

/// The row scaled to length 1; a row of zeros stays.
fn unit(row: &[f32]) -> impl Iterator<Item = f64> {
    let squares: f64 = row.iter().map(|value| f64::from(*value).powi(2)).sum();
    let norm = if squares > 0.0 { squares.sqrt() } else { 1.0 };
    row.iter().map(move |value| f64::from(*value) / norm)
}

/// A share among points that the encoder was trained on against the share among held-out points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareGap {
    /// Share of the trained-on points, 0 to 1.
    pub trained: f64,
    /// Share of the held-out points, 0 to 1.
    pub held_out: f64,
    /// The first less the second.
    pub gap: f64,
    /// Its standard error over points of both sets.
    pub standard_error: f64,
    /// The same between held-out points at even and those at odd places.
    pub null: f64,
    /// Its standard error.
    pub null_error: f64,
}

impl ShareGap {
    /// Of points for which something holds or not.
    pub fn new(trained: &[bool], held_out: &[bool]) -> Self {
        let numbers =
            |of: &[bool]| -> Vec<f64> { of.iter().map(|is| f64::from(u8::from(*is))).collect() };
        let (trained, held_out) = (numbers(trained), numbers(held_out));
        let half =
            |from: usize| -> Vec<f64> { held_out.iter().skip(from).step_by(2).copied().collect() };
        let (even, odd) = (half(0), half(1));
        let error = |a: &[f64], b: &[f64]| standard_error(a).hypot(standard_error(b));
        Self {
            trained: mean(&trained),
            held_out: mean(&held_out),
            gap: mean(&trained) - mean(&held_out),
            standard_error: error(&trained, &held_out),
            null: mean(&even) - mean(&odd),
            null_error: error(&even, &odd),
        }
    }

    /// The 95 % interval of the gap, by the normal distribution.
    pub fn interval(&self) -> (f64, f64) {
        let reach = 1.96 * self.standard_error;
        (self.gap - reach, self.gap + reach)
    }
}

/// The déjà-vu test of one encoder: from a part of an image its neighbours among public images guess
/// the class of the whole. What is right more often for images that the encoder was trained on than for
/// held-out ones, it remembers.
///
/// With one encoder the held-out points take the place of the second encoder that the paper trains
/// without the points. It needs that both sets are draws from one population.
///
/// Source: Meehan et al., *Do SSL Models Have Déjà Vu? A Case of Unintended Memorization in
/// Self-supervised Learning*, NeurIPS 2023, arXiv 2304.13850.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DejaVu {
    /// Share of points whose class is guessed; NaN where all public images are of one class, which
    /// leaves nothing to guess.
    pub class: ShareGap,
    /// How often the most frequent class is right.
    pub chance: f64,
    /// Share of points whose part lies nearer to the whole image than to every public one; needs no
    /// labels.
    pub found: ShareGap,
    /// How well the share of neighbours of its own class tells a trained-on point from a held-out one;
    /// NaN likewise.
    pub area: Area,
    /// The same between two halves of the held-out points.
    pub area_null: Area,
}

impl DejaVu {
    /// The test over points with their classes.
    pub fn new(trained: &[(Recall, u32)], held_out: &[(Recall, u32)], chance: f64) -> Self {
        let right = |of: &[(Recall, u32)]| -> Vec<bool> {
            of.iter().map(|(r, label)| r.class == *label).collect()
        };
        let found =
            |of: &[(Recall, u32)]| -> Vec<bool> { of.iter().map(|(r, _)| r.found).collect() };
        let own = |of: &[(Recall, u32)]| -> Vec<f64> { of.iter().map(|(r, _)| r.own).collect() };
        let found = ShareGap::new(&found(trained), &found(held_out));
        // Where every neighbour is of the one class, labels say nothing.
        let (trained, held_out) = match chance < 1.0 {
            true => (trained, held_out),
            false => (&[][..], &[][..]),
        };
        Self {
            class: ShareGap::new(&right(trained), &right(held_out)),
            chance,
            found,
            area: Area::between(&own(trained), &own(held_out)),
            area_null: Area::null(&own(held_out)),
        }
    }

    /// Whether the public images are of several classes, so that there is one to guess.
    pub fn has_classes(&self) -> bool {
        self.chance < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> PublicSet {
        let rows = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 2.0]];
        PublicSet::new(rows.as_flattened(), 2, vec![0, 0, 1, 1], 3)
    }

    #[test]
    fn neighbours_vote_and_the_nearer_win_a_tie() {
        let public = public();
        let near = public.recall(&[2.0, 0.1], &[5.0, 0.25], 1, 2);
        assert_eq!((near.class, near.own, near.found), (0, 0.0, true));
        let tied = public.recall(&[0.2, 1.0], &[1.0, 0.0], 1, 4);
        assert_eq!((tied.class, tied.own, tied.found), (1, 0.5, false));
        assert_eq!(public.chance(), 0.5);
        // More neighbours than there are.
        assert_eq!(public.recall(&[0.2, 1.0], &[1.0, 0.0], 1, 99), tied);
    }

    #[test]
    fn the_gap_is_a_difference_of_shares_with_its_error() {
        let gap = ShareGap::new(&[true, true, true, false], &[true, false, false, false]);
        assert_eq!((gap.trained, gap.held_out, gap.gap), (0.75, 0.25, 0.5));
        let one = (0.1875f64 * 4.0 / 3.0 / 4.0).sqrt();
        assert!((gap.standard_error - one * 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(gap.null, 0.5);
        let (low, high) = gap.interval();
        assert!(low < 0.5 && high > 0.5);
        assert!(ShareGap::new(&[], &[true]).gap.is_nan());
    }

    #[test]
    fn one_class_leaves_nothing_to_guess() {
        let recall = |found| Recall {
            class: 0,
            own: 1.0,
            found,
        };
        let points = [(recall(true), 0), (recall(false), 0)];
        let test = DejaVu::new(&points, &points, 1.0);
        assert!(!test.has_classes() && test.class.gap.is_nan() && test.class.trained.is_nan());
        assert!(test.area.area.is_nan() && test.area_null.area.is_nan());
        assert_eq!(test.found.trained, 0.5);
        assert!(DejaVu::new(&points, &points, 0.5).has_classes());
    }

    #[test]
    fn points_that_are_alike_have_no_gap() {
        use afterimage_hooks::random::{RandomKey, Stream};
        let mut generator = RandomKey::new(3, Stream::Plugin).generator();
        let mut points = |right: f64| -> Vec<(Recall, u32)> {
            let mut one = || {
                let class = u32::from(generator.uniform() > right);
                let (own, found) = (generator.uniform(), generator.uniform() < 0.5);
                (Recall { class, own, found }, 0)
            };
            (0..400).map(|_| one()).collect()
        };
        let same = DejaVu::new(&points(0.3), &points(0.3), 0.1);
        assert!(same.class.gap.abs() < 4.0 * same.class.standard_error);
        let other = DejaVu::new(&points(0.8), &points(0.3), 0.1);
        assert!(other.class.gap > 8.0 * other.class.standard_error);
        assert!((other.area.area - 0.5).abs() < 4.0 * other.area.standard_error);
    }
}
