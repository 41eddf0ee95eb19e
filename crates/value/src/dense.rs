//! Learners that add numbers up: linear models and networks, over standardised columns.

use afterimage_numeric::softmax;
use afterimage_random::Generator;

use crate::answers::Answers;
use crate::design::Design;
use crate::learn::{Learn, Task, Told};
use crate::score::ClassScore;

/// What a model learns from.
pub(crate) struct Bag<'a> {
    /// Numbers of each row, `[rows, inputs]`.
    pub inputs: &'a [f32],
    /// Inputs of a row.
    pub width: usize,
    /// How often each row counts.
    pub weights: &'a [f32],
    /// Class or standardised label of each row.
    pub labels: Labels<'a>,
}

/// Labels of the rows of a bag.
#[derive(Clone, Copy)]
pub(crate) enum Labels<'a> {
    Classes(&'a [u16], usize),
    Numbers(&'a [f64]),
}

impl Labels<'_> {
    /// Numbers that a model gives out: one a class, or one.
    pub fn outputs(&self) -> usize {
        match self {
            Labels::Classes(_, count) => *count,
            Labels::Numbers(_) => 1,
        }
    }
}

/// A model that is fitted to a bag and then asked.
pub(crate) trait Model: Send {
    /// Forgets what was before and fits.
    fn fit(&mut self, bag: &Bag<'_>, draws: &mut Generator);

    /// Scores of the classes, of which softmax makes probabilities, or the predicted number.
    fn predict(&self, inputs: &[f32], outputs: &mut [f64]);
}

/// A model as a learner.
pub(crate) struct Dense<'a, M> {
    model: M,
    design: &'a Design,
    answers: &'a Answers,
    score: ClassScore,
    inputs: Vec<f32>,
    weights: Vec<f32>,
    classes: Vec<u16>,
    numbers: Vec<f64>,
}

impl<'a, M: Model> Dense<'a, M> {
    pub fn new(model: M, design: &'a Design, answers: &'a Answers, score: ClassScore) -> Self {
        Self {
            model,
            design,
            answers,
            score,
            inputs: Vec::new(),
            weights: Vec::new(),
            classes: Vec::new(),
            numbers: Vec::new(),
        }
    }

    fn gather(&mut self, weights: &[u16], chosen: &[usize]) {
        self.inputs.clear();
        self.weights.clear();
        self.classes.clear();
        self.numbers.clear();
        for (place, &weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0) {
            let row = self.design.place(place);
            self.inputs.extend(chosen.iter().map(|&at| row[at]));
            self.weights.push(f32::from(weight));
            match self.answers {
                Answers::Classes { of, .. } => self.classes.push(of[place]),
                Answers::Numbers { scaled, unit, .. } => {
                    self.numbers.push(scaled[place] as f64 * unit);
                }
            }
        }
    }
}

impl<M: Model> Learn for Dense<'_, M> {
    fn learn(&mut self, mut task: Task<'_>, told: &mut Told<'_>) {
        let chosen = self.design.numbers_of(task.subset);
        self.gather(task.weights, &chosen);
        let labels = match self.answers {
            Answers::Classes { count, .. } => Labels::Classes(&self.classes, *count),
            Answers::Numbers { .. } => Labels::Numbers(&self.numbers),
        };
        let bag = Bag {
            inputs: &self.inputs,
            width: chosen.len(),
            weights: &self.weights,
            labels,
        };
        let mut outputs = vec![0.0; labels.outputs()];
        self.model.fit(&bag, &mut task.draws);
        let mut inputs = vec![0.0; chosen.len()];
        for (place, _) in task.weights.iter().enumerate().filter(|(_, w)| **w == 0) {
            let row = self.design.place(place);
            inputs
                .iter_mut()
                .zip(&chosen)
                .for_each(|(input, &at)| *input = row[at]);
            self.model.predict(&inputs, &mut outputs);
            (told.scores[place], told.said[place]) = match self.answers {
                Answers::Classes { of, .. } => {
                    let class = usize::from(of[place]);
                    let best = first_largest(&outputs);
                    softmax(&mut outputs);
                    (self.score.of(best == class, outputs[class]), best as f32)
                }
                Answers::Numbers { scaled, unit, .. } => {
                    let error = scaled[place] as f64 * unit - outputs[0];
                    (-(error * error) as f32, outputs[0] as f32)
                }
            };
        }
    }
}

/// Of equal outputs, the first class.
fn first_largest(outputs: &[f64]) -> usize {
    let mut best = 0;
    for (at, output) in outputs.iter().enumerate() {
        if *output > outputs[best] {
            best = at;
        }
    }
    best
}
