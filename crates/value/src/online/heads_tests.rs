use super::*;

const SIZES: Sizes = Sizes {
    inputs: 5,
    heads: 3,
    hidden: 4,
    classes: 3,
};
const SAMPLES: usize = 6;

struct Case {
    inputs: Vec<f32>,
    labels: Vec<u32>,
    weights: Vec<f32>,
    masks: Vec<f32>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut draws = Purpose::Learner.draws_at(seed, 0, 0);
        let mut uniform = || (2.0 * draws.uniform() - 1.0) as f32;
        Self {
            inputs: (0..SAMPLES * 5).map(|_| uniform()).collect(),
            labels: vec![0, 1, 2, 2, 1, 0],
            weights: (0..3 * SAMPLES).map(|i| (i % 3) as f32).collect(),
            masks: (0..3 * 5)
                .map(|i| f32::from(u8::from(i % 4 != 1)))
                .collect(),
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            inputs: &self.inputs,
            labels: &self.labels,
            weights: &self.weights,
            masks: &self.masks,
        }
    }
}

/// The loss by hand, in f64.
fn loss(parameters: &[f32], case: &Case) -> f64 {
    let [weights, biases, outputs, output_biases] = SIZES.split(parameters);
    let width = SIZES.width();
    let mut sum = 0.0;
    for head in 0..SIZES.heads {
        for sample in 0..SAMPLES {
            let mut scores: Vec<f64> = output_biases[head * 3..][..3]
                .iter()
                .map(|&b| f64::from(b))
                .collect();
            for unit in head * 4..head * 4 + 4 {
                let mut active = f64::from(biases[unit]);
                for input in 0..5 {
                    active += f64::from(case.inputs[sample * 5 + input])
                        * f64::from(weights[input * width + unit])
                        * f64::from(case.masks[head * 5 + input]);
                }
                for (class, score) in scores.iter_mut().enumerate() {
                    *score += active.max(0.0) * f64::from(outputs[unit * 3 + class]);
                }
            }
            let all: f64 = scores.iter().map(|s| s.exp()).sum();
            let label = case.labels[sample] as usize;
            let weight = f64::from(case.weights[head * SAMPLES + sample]);
            sum += weight * (all.ln() - scores[label]) / SAMPLES as f64;
        }
    }
    sum
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    for seed in 0..3 {
        let case = Case::new(seed);
        let heads = Heads::new(SIZES, seed, 0);
        let gradient = heads.backward(&case.seen(), &heads.forward(&case.seen()));
        for at in 0..heads.parameters.len() {
            let moved = |by: f32| {
                let mut parameters = heads.parameters.clone();
                parameters[at] += by;
                loss(&parameters, &case)
            };
            let difference = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            let found = f64::from(gradient[at]);
            assert!(
                (found - difference).abs() < 2e-4,
                "{at}: {found} {difference}"
            );
        }
        assert!(gradient.iter().any(|g| g.abs() > 1e-2));
    }
}

#[test]
fn heads_do_not_see_each_other_or_what_is_masked() {
    let case = Case::new(5);
    let three = Heads::new(SIZES, 9, 0).forward(&case.seen()).probabilities;
    let one = Sizes { heads: 1, ..SIZES };
    for head in 0..3 {
        let alone = Heads::new(one, 9, head);
        let seen = Seen {
            weights: &case.weights[head * SAMPLES..][..SAMPLES],
            masks: &case.masks[head * 5..][..5],
            ..case.seen()
        };
        let alone = alone.forward(&seen).probabilities;
        let size = SAMPLES * 3;
        for (a, b) in alone.iter().zip(&three[head * size..][..size]) {
            assert!((a - b).abs() < 1e-6);
        }
    }
    let mut other = Case::new(5);
    // Input 1 is masked for head 0 alone.
    (0..SAMPLES).for_each(|sample| other.inputs[sample * 5 + 1] = 100.0);
    let changed = Heads::new(SIZES, 9, 0).forward(&other.seen()).probabilities;
    assert_eq!(changed[..SAMPLES * 3], three[..SAMPLES * 3]);
    assert_ne!(changed[SAMPLES * 3..], three[SAMPLES * 3..]);
}

#[test]
fn steps_equal_those_of_another_framework() {
    #![allow(clippy::unwrap_used)]
    // scripts/online_reference.py: PyTorch's autograd and Adam, three steps on one batch.
    let text = include_str!("../../tests/reference/online_heads.txt");
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut numbers = || -> Vec<f32> {
        let line = lines.next().unwrap();
        line.split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect()
    };
    let sizes = Sizes { heads: 2, ..SIZES };
    let (inputs, labels) = (numbers(), numbers());
    let (weights, masks, parameters) = (numbers(), numbers(), numbers());
    let labels: Vec<u32> = labels.iter().map(|&l| l as u32).collect();
    let mut heads = Heads::new(sizes, 0, 0);
    assert_eq!(parameters.len(), heads.parameters.len());
    heads.parameters = parameters;
    let seen = Seen {
        inputs: &inputs,
        labels: &labels,
        weights: &weights,
        masks: &masks,
    };
    for _ in 0..3 {
        let probabilities = heads.step(&seen, 0.05);
        for (found, expected) in probabilities.iter().zip(numbers()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
    for (found, expected) in heads.parameters.iter().zip(numbers()) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}
