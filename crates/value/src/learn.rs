//! Learners: fitted to a bag, asked about the rows outside of it.

use afterimage_random::Generator;

use crate::ranks::Ranked;
use crate::tree::{Criterion, Entry, Grower, Limits};

/// What a learner is told of its bag.
pub(crate) struct Task<'a> {
    /// Weight of each place; 0 is out of bag.
    pub weights: &'a [u16],
    /// Columns that it may look at.
    pub subset: &'a [usize],
    /// Its own random numbers.
    pub draws: Generator,
}

/// What a learner answers at each place out of bag; the others are left.
pub(crate) struct Told<'a> {
    /// How well it does.
    pub scores: &'a mut [f32],
    /// What it says: a class, or a number in standard deviations of the labels from their mean.
    pub said: &'a mut [f32],
}

/// Fits and asks; one for each thread.
pub(crate) trait Learn: Send {
    /// Writes what it says at each place out of bag, and how well it does.
    fn learn(&mut self, task: Task<'_>, told: &mut Told<'_>);
}

/// Trees over ranked columns.
pub(crate) struct Trees<'a, C> {
    grower: Grower<C>,
    columns: &'a [Ranked],
    /// Class of each place; 0 for numbers.
    classes: &'a [u16],
    limits: Limits,
    bag: Vec<Entry>,
    asked: Vec<Entry>,
}

impl<'a, C: Criterion> Trees<'a, C> {
    pub fn new(criterion: C, columns: &'a [Ranked], classes: &'a [u16], limits: Limits) -> Self {
        Self {
            grower: Grower::new(criterion),
            columns,
            classes,
            limits,
            bag: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl<C: Criterion + Send> Learn for Trees<'_, C> {
    fn learn(&mut self, mut task: Task<'_>, told: &mut Told<'_>) {
        self.bag.clear();
        self.asked.clear();
        for (place, (&weight, &class)) in task.weights.iter().zip(self.classes).enumerate() {
            let entry = Entry::new(place as u32, weight, class);
            if weight == 0 {
                self.asked.push(entry);
            } else {
                self.bag.push(entry);
            }
        }
        self.grower.grow(
            self.columns,
            task.subset,
            self.limits,
            &mut task.draws,
            (&mut self.bag, &mut self.asked),
            told,
        );
    }
}
