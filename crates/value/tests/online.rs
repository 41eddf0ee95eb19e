//! Laws of online values.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use afterimage_value::{
    Batch, CellTally, Cells, Column, HeadBank, Judged, OnlinePasses, OnlineSettings, OnlineValuer,
    Problem, Target, bag, clean_prior, value_online,
};
use proptest::prelude::*;

/// Numbers in [−1, 1) that look random.
fn noise(at: usize) -> f32 {
    let mut bits = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^= bits >> 29;
    (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

struct Data {
    samples: usize,
    cells: Vec<usize>,
    classes: usize,
    inputs: Vec<f32>,
    labels: Vec<u32>,
}

impl Data {
    fn new(samples: usize, cells: Vec<usize>, classes: usize) -> Self {
        let width: usize = cells.iter().sum();
        let inputs: Vec<f32> = (0..samples * width).map(noise).collect();
        let labels = inputs
            .chunks_exact(width)
            .map(|row| ((row[0] + 1.0) / 2.0 * classes as f32) as u32)
            .collect();
        Self {
            samples,
            cells,
            classes,
            inputs,
            labels,
        }
    }

    fn rows(&self, ids: &[u32]) -> (Vec<f32>, Vec<u32>) {
        let width: usize = self.cells.iter().sum();
        let row = |&id: &u32| self.inputs[id as usize * width..][..width].to_vec();
        let label = |&id: &u32| self.labels[id as usize];
        (
            ids.iter().flat_map(row).collect(),
            ids.iter().map(label).collect(),
        )
    }

    fn step(&self, valuer: &mut OnlineValuer, ids: &[u32], score: bool) {
        let (inputs, labels) = self.rows(ids);
        let batch = Batch {
            ids,
            inputs: &inputs,
            labels: &labels,
        };
        valuer.step(batch, score).unwrap();
    }

    fn valuer(&self, settings: OnlineSettings) -> OnlineValuer {
        OnlineValuer::new(settings, self.samples, &self.cells, self.classes, true).unwrap()
    }
}

/// A batch of some of the samples, another one at each pass; a sample may come twice.
fn batch_of(samples: usize, pass: usize) -> Vec<u32> {
    (0..7)
        .map(|at| ((pass * 5 + at * at) % samples) as u32)
        .collect()
}

fn small() -> impl Strategy<Value = OnlineSettings> {
    (
        any::<u64>(),
        2usize..8,
        1usize..5,
        0.1f64..1.0,
        any::<bool>(),
    )
        .prop_map(|(seed, half, hidden, ratio, soft)| OnlineSettings {
            seed,
            heads: 2 * half,
            hidden,
            ratio,
            soft,
            watched: 3,
            ..OnlineSettings::default()
        })
}

/// Sums of equation 4 by hand: (sum, count) of each sample, and of each of its cells.
fn brute_force(data: &Data, soft: bool, seen: &[(Vec<u32>, Judged)]) -> Vec<(Vec<f64>, Vec<f64>)> {
    let (cells, classes) = (data.cells.len(), data.classes);
    let mut all = Vec::new();
    for sample in 0..data.samples {
        let (mut sums, mut counts) = (vec![0.0; cells + 1], vec![0.0; cells + 1]);
        for (ids, judged) in seen {
            let heads = judged.bags.len() / ids.len();
            for (at, &id) in ids.iter().enumerate() {
                for head in 0..heads {
                    if id as usize != sample || judged.bags[at * heads + head] != 0 {
                        continue;
                    }
                    let p = &judged.probabilities[(head * ids.len() + at) * classes..][..classes];
                    let label = data.labels[sample] as usize;
                    let best = (0..classes).fold(0, |b, c| if p[c] > p[b] { c } else { b });
                    let score = if soft {
                        f64::from(p[label])
                    } else {
                        f64::from(u8::from(best == label))
                    };
                    for cell in 0..=cells {
                        let shown = cell == cells || judged.masks[head * cells + cell] == 1;
                        sums[cell] += if shown { score } else { 0.0 };
                        counts[cell] += f64::from(u8::from(shown));
                    }
                }
            }
        }
        all.push((sums, counts));
    }
    all
}

fn same_number(a: f64, b: f64, within: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= within
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_those_of_a_loop_over_equation_4(settings in small(), passes in 1usize..12) {
        let data = Data::new(9, vec![1, 2, 1, 3], 3);
        let mut bank = HeadBank::new(settings, &data.cells, 3).unwrap();
        let mut tally = CellTally::new(&settings, 9, 4, 3, true);
        let mut seen = Vec::new();
        for pass in 0..passes {
            let ids = batch_of(9, pass);
            let (inputs, labels) = data.rows(&ids);
            let judged = bank.step(Batch { ids: &ids, inputs: &inputs, labels: &labels }).unwrap();
            tally.add(&ids, &labels, &judged).unwrap();
            seen.push((ids, judged));
        }
        for (sample, (sums, counts)) in brute_force(&data, settings.soft, &seen).iter().enumerate() {
            let row = tally.row(sample);
            prop_assert!(same_number(row.value, sums[4] / counts[4], 1e-6));
            prop_assert_eq!(f64::from(row.count), counts[4]);
            let mut of_cells = 0.0;
            for cell in 0..4 {
                let found = tally.cell(sample, cell);
                prop_assert!(same_number(found.value, sums[cell] / counts[cell], 1e-6));
                prop_assert_eq!(f64::from(found.count), counts[cell]);
                prop_assert_eq!(found.value.is_nan(), counts[cell] == 0.0);
                let unseen = counts[4] - counts[cell];
                let hidden = if unseen == 0.0 { f64::NAN } else { (sums[4] - sums[cell]) / unseen };
                let contrast = sums[cell] / counts[cell] - hidden;
                prop_assert!(same_number(tally.contrast(sample, cell), contrast, 2e-5));
                of_cells += sums[cell];
            }
            // Every head sees as many cells, so the weighted mean of the cells is the row's value.
            let weighted = of_cells / counts[..4].iter().sum::<f64>();
            prop_assert!(same_number(weighted, row.value, 1e-5));
            if let Some(p) = tally.probabilities(sample) {
                prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5);
            }
            prop_assert_eq!(tally.probabilities(sample).is_none(), row.count == 0);
        }
    }

    #[test]
    fn merging_is_adding_up(settings in small(), cut in 0usize..10) {
        let data = Data::new(8, vec![1, 1, 2], 2);
        let mut bank = HeadBank::new(settings, &data.cells, 2).unwrap();
        let empty = || CellTally::new(&settings, 8, 3, 2, true);
        let (mut whole, mut parts) = (empty(), [empty(), empty()]);
        for pass in 0..10 {
            let ids = batch_of(8, pass);
            let (inputs, labels) = data.rows(&ids);
            let judged = bank.step(Batch { ids: &ids, inputs: &inputs, labels: &labels }).unwrap();
            whole.add(&ids, &labels, &judged).unwrap();
            parts[usize::from(pass >= cut)].add(&ids, &labels, &judged).unwrap();
        }
        let [mut merged, other] = parts;
        merged.merge(&other).unwrap();
        for sample in 0..8 {
            let (a, b) = (merged.row(sample), whole.row(sample));
            prop_assert!(a.count == b.count && same_number(a.value, b.value, 1e-9));
            prop_assert!(same_number(a.error, b.error, 1e-6));
            for cell in 0..3 {
                let (a, b) = (merged.cell(sample, cell), whole.cell(sample, cell));
                prop_assert!(a.count == b.count && same_number(a.value, b.value, 1e-6));
            }
        }
        // At the least difference that counts, rounding decides whether there is a correlation.
        if let (Some(a), Some(b)) = (merged.reliability(), whole.reliability()) {
            prop_assert!(a.cells == b.cells && same_number(a.halves, b.halves, 1e-2));
        }
    }

    #[test]
    fn a_stop_and_a_resume_change_no_bit(settings in small(), at in 0usize..8) {
        let data = Data::new(10, vec![2, 1, 1], 3);
        let mut straight = data.valuer(settings);
        (0..8).for_each(|pass| data.step(&mut straight, &batch_of(10, pass), pass > 1));
        let mut resumed = data.valuer(settings);
        for pass in 0..8 {
            if pass == at {
                let bytes = postcard::to_stdvec(&resumed).unwrap();
                resumed = postcard::from_bytes(&bytes).unwrap();
            }
            data.step(&mut resumed, &batch_of(10, pass), pass > 1);
        }
        prop_assert_eq!(postcard::to_stdvec(&straight).unwrap(), postcard::to_stdvec(&resumed).unwrap());
    }

    #[test]
    fn bags_depend_on_sample_and_head_alone(seed in any::<u64>(), first in 0u32..50) {
        let settings = OnlineSettings { seed, heads: 12, ..OnlineSettings::default() };
        let data = Data::new(60, vec![1, 1], 2);
        let bags = |ids: &[u32], steps: usize| {
            let mut bank = HeadBank::new(settings, &data.cells, 2).unwrap();
            let (inputs, labels) = data.rows(ids);
            let batch = Batch { ids, inputs: &inputs, labels: &labels };
            (0..=steps).map(|_| bank.step(batch).unwrap().bags).last().unwrap()
        };
        let ids: Vec<u32> = (first..first + 8).collect();
        let shuffled: Vec<u32> = ids.iter().rev().copied().collect();
        let (one, other) = (bags(&ids, 0), bags(&shuffled, 3));
        for (a, b) in one.chunks_exact(12).zip(other.chunks_exact(12).rev()) {
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(&one[..12], &bag(seed, first, 12).collect::<Vec<u8>>()[..]);
    }

    #[test]
    fn a_prior_is_a_monotone_probability(values in prop::collection::vec(0.0f64..1.0, 0..60)) {
        let prior = clean_prior(&values);
        let mut pairs: Vec<_> = values.iter().zip(&prior).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(b.0));
        prop_assert!(pairs.iter().all(|(_, p)| (0.0..=1.0).contains(*p)));
        prop_assert!(pairs.windows(2).all(|w| w[0].1 <= w[1].1));
    }
}

fn table() -> Problem {
    let numbers = |from: usize| Cells::Numbers((from..from + 120).map(noise).collect());
    let first: Vec<f32> = (0..120).map(noise).collect();
    let mut codes: Vec<u32> = first.iter().map(|&x| u32::from(x > 0.0)).collect();
    codes[7] ^= 1;
    let columns = [
        ("a", numbers(0)),
        ("b", numbers(1000)),
        ("c", numbers(2000)),
    ];
    let levels = Cells::Levels {
        codes: (0..120).map(|row| row % 3).collect(),
        names: ["x", "y", "z"].map(str::to_owned).to_vec(),
    };
    let columns = columns.into_iter().chain([("d", levels)]);
    let columns = columns.map(|(name, cells)| Column {
        name: name.to_owned(),
        cells,
    });
    let names = ["no", "yes"].map(str::to_owned).to_vec();
    Problem::new(columns.collect(), Target::Classes { codes, names }, None).unwrap()
}

#[test]
fn a_table_has_the_same_values_on_any_number_of_threads() {
    let bytes = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let valuer = pool.install(|| {
            value_online(&table(), OnlineSettings::default(), OnlinePasses::default()).unwrap()
        });
        postcard::to_stdvec(&valuer).unwrap()
    };
    let one = bytes(1);
    assert_eq!(one, bytes(2));
    assert_eq!(one, bytes(3));
}

#[test]
fn the_wrong_label_and_the_telling_column_are_found() {
    let valuer =
        value_online(&table(), OnlineSettings::default(), OnlinePasses::default()).unwrap();
    let tally = valuer.tally();
    assert_eq!((tally.len(), tally.cells()), (120, 4));
    let lowest = (0..120).min_by(|&a, &b| tally.row(a).value.total_cmp(&tally.row(b).value));
    assert_eq!(lowest, Some(7));
    let mean = |cell| (0..120).map(|row| tally.contrast(row, cell)).sum::<f64>() / 120.0;
    assert!((1..4).all(|cell| mean(0) > mean(cell) + 0.1));
    assert!(tally.reliability().unwrap().halves > 0.5);
}

#[test]
fn what_was_never_seen_is_missing_and_warming_up_scores_nothing() {
    let data = Data::new(6, vec![1, 1], 2);
    let mut valuer = data.valuer(OnlineSettings::default());
    data.step(&mut valuer, &[0, 1, 2], false);
    assert_eq!(valuer.tally().row(0).count, 0);
    data.step(&mut valuer, &[0, 1, 2], true);
    assert!(valuer.tally().row(0).count > 0 && valuer.tally().row(0).value.is_finite());
    let (row, cell) = (valuer.tally().row(5), valuer.tally().cell(5, 1));
    assert!(row.value.is_nan() && row.error.is_nan() && row.count == 0);
    assert!(cell.value.is_nan() && cell.error.is_nan() && cell.count == 0);
    assert!(valuer.tally().contrast(5, 1).is_nan());
    assert_eq!(valuer.tally().probabilities(5), None);
}

#[test]
fn a_batch_that_cannot_be_valued_is_refused_and_leaves_no_trace() {
    let data = Data::new(6, vec![1, 1], 2);
    let mut valuer = data.valuer(OnlineSettings::default());
    let before = valuer.clone();
    let good = [0.0f32; 4];
    type Case<'a> = (&'a [u32], &'a [f32], &'a [u32], &'a str);
    let cases: [Case; 5] = [
        (&[0, 6], &good, &[0, 1], "sample 6"),
        (&[0, 1], &good, &[0, 2], "label 2"),
        (&[0, 1], &good[..3], &[0, 1], "2 numbers"),
        (&[0, 1], &[0.0, f32::NAN, 0.0, 0.0], &[0, 1], "not finite"),
        (&[], &[], &[], "a sample"),
    ];
    for (ids, inputs, labels, word) in cases {
        let error = valuer
            .step(
                Batch {
                    ids,
                    inputs,
                    labels,
                },
                true,
            )
            .unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(valuer, before);
    }
    let odd = OnlineSettings {
        heads: 5,
        ..OnlineSettings::default()
    };
    assert!(OnlineValuer::new(odd, 6, &[1], 2, true).is_err());
    assert!(OnlineValuer::new(OnlineSettings::default(), 6, &[1], 1, true).is_err());
    let numbers = Target::Numbers((0..120).map(|i| f64::from(noise(i))).collect());
    let problem = Problem::new(table().columns().to_vec(), numbers, None).unwrap();
    let error = value_online(&problem, OnlineSettings::default(), OnlinePasses::default());
    assert!(error.unwrap_err().to_string().contains("classes"));
}

#[test]
fn a_cell_takes_six_bytes_and_a_sample_some_dozens() {
    let settings = OnlineSettings::default();
    let tally = CellTally::new(&settings, 5000, 64, 10, true);
    let a_cell = tally.bytes() as f64 / (5000.0 * 64.0);
    assert!(a_cell <= 8.0, "{a_cell}");
    let without = CellTally::new(&settings, 5000, 64, 10, false);
    assert_eq!(tally.bytes() - without.bytes(), 5000 * 10 * 4);
    // The two halves are compared on some samples, whatever there are.
    assert!(tally.watched_bytes() < 512 * 64 * 12 + 4096);
}
