//! Runs that differ by their seed alone, and what tells such groups apart.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_sweep::{Answer, Told, mean};
use toml::Value;

use super::figures::Figures;
use super::one::One;
use crate::flat_config::has_effect;

/// Keys that name a group; of more its config's or its first run's name says less and reads better.
const KEYS: usize = 2;
/// Letters of such a name.
const LETTERS: usize = 60;

/// Runs whose configs differ by their seed alone, as far as numbers go.
pub(super) struct Group<'a> {
    pub(super) name: String,
    /// In the order in which they were given.
    pub(super) runs: Vec<&'a One>,
    /// The runs that means and differences are of, by seed: those that are done, on the images of the first of them;
    /// of two of a seed the first.
    pub(super) counted: BTreeMap<i64, &'a One>,
    /// Runs that are done on other images than the first of the group, with that one and what differs.
    pub(super) strangers: Vec<(&'a One, &'a One, String)>,
}

/// What is asked of a run's config, without its seed.
fn identity(run: &One) -> BTreeMap<&str, &Value> {
    let keys = run.settings.iter();
    keys.filter(|(key, _)| *key != "seed" && has_effect(key))
        .map(|(key, value)| (key.as_str(), value))
        .collect()
}

/// The groups of `runs`, in the order of their first runs. A run without a config is one by itself.
pub(super) fn groups(runs: &[One]) -> Vec<Group<'_>> {
    let mut found: Vec<Vec<&One>> = Vec::new();
    for run in runs {
        let known = !run.settings.is_empty();
        let alike = |group: &&mut Vec<&One>| {
            let first = group.first();
            first.is_some_and(|first| identity(first) == identity(run))
        };
        match found.iter_mut().find(alike).filter(|_| known) {
            Some(group) => group.push(run),
            None => found.push(vec![run]),
        }
    }
    let names = names(&found);
    let named = names.into_iter().zip(found);
    named.map(|(name, runs)| Group::new(name, runs)).collect()
}

/// What tells the groups apart, if that is short and tells all; else the names of configs, or of first runs.
fn names(groups: &[Vec<&One>]) -> Vec<String> {
    let firsts = groups.iter().filter_map(|group| group.first());
    let all: Vec<BTreeMap<&str, &Value>> = firsts.map(|run| identity(run)).collect();
    let keys: BTreeSet<&str> = all.iter().flat_map(|of| of.keys().copied()).collect();
    let differ: Vec<&str> = keys
        .into_iter()
        .filter(|key| {
            all.windows(2)
                .any(|pair| pair[0].get(key) != pair[1].get(key))
        })
        .collect();
    let by_keys = || -> Vec<String> {
        let word = |of: &BTreeMap<&str, &Value>, key: &str| match of.get(key) {
            Some(value) => format!("{key} = {value}"),
            None => format!("no {key}"),
        };
        let name = |of: &BTreeMap<&str, &Value>| {
            let words: Vec<String> = differ.iter().map(|key| word(of, key)).collect();
            words.join(", ")
        };
        all.iter().map(name).collect()
    };
    let by_config = || -> Vec<String> {
        let name = |group: &Vec<&One>| {
            let name = group.first()?.settings.get("name")?.as_str()?;
            Some(name.to_owned())
        };
        groups.iter().filter_map(name).collect()
    };
    let tells = |names: &Vec<String>| {
        let apart: BTreeSet<&String> = names.iter().collect();
        apart.len() == groups.len() && names.iter().all(|name| name.chars().count() <= LETTERS)
    };
    let mut ways: Vec<Vec<String>> = Vec::new();
    if !differ.is_empty() && differ.len() <= KEYS {
        ways.push(by_keys());
    }
    ways.push(by_config());
    let found = ways.into_iter().find(tells);
    found.unwrap_or_else(|| {
        let name = |group: &Vec<&One>| group.first().map(|run| run.name.clone());
        groups.iter().filter_map(name).collect()
    })
}

/// The last value of a figure in a run.
struct Last {
    value: f64,
    /// Whether the run went on behind it.
    earlier: bool,
}

impl<'a> Group<'a> {
    fn new(name: String, runs: Vec<&'a One>) -> Self {
        let (mut counted, mut strangers) = (BTreeMap::new(), Vec::new());
        let done: Vec<&One> = runs.iter().copied().filter(|run| run.is_done()).collect();
        for &run in &done {
            match (done[0].other_data(run), run.seed()) {
                (Some(why), _) => strangers.push((run, done[0], why)),
                (None, Some(seed)) => {
                    counted.entry(seed).or_insert(run);
                }
                (None, None) => {}
            }
        }
        Self {
            name,
            runs,
            counted,
            strangers,
        }
    }

    /// The seeds that this group and `other` both have, on the same images.
    fn paired(&self, other: &Group<'_>) -> Vec<i64> {
        let seed = |(seed, run): (&i64, &&One)| {
            let beside = other.counted.get(seed)?;
            beside.other_data(run).is_none().then_some(*seed)
        };
        self.counted.iter().filter_map(seed).collect()
    }

    /// Runs whose seed another run of the group has that was given before, with that one.
    pub(super) fn repeats(&self) -> Vec<(&'a One, &'a One)> {
        let other = |run: &&'a One| {
            let first = *self.counted.get(&run.seed()?)?;
            (run.is_done() && !std::ptr::eq(first, *run)).then_some((*run, first))
        };
        self.runs.iter().filter_map(other).collect()
    }

    /// The last value of `tag` by seed, where it is a finite number.
    fn ends(&self, tag: &str) -> BTreeMap<i64, Last> {
        let last = |(&seed, run): (&i64, &&One)| {
            let scalar = run.scalar(tag)?;
            let (value, epoch) = (scalar.last(), scalar.epochs.last());
            let earlier = run.last().is_some_and(|(_, last)| epoch < Some(&last));
            value.is_finite().then_some((seed, Last { value, earlier }))
        };
        self.counted.iter().filter_map(last).collect()
    }

    /// How many seeds its runs have that are done.
    pub(super) fn seeds(&self) -> usize {
        self.counted.len()
    }

    /// The mean of `tag` over the seeds, its standard error, and how many there are.
    pub(super) fn mean(&self, tag: &str) -> Option<(f64, Option<f64>, usize)> {
        let ends: Vec<f64> = self.ends(tag).values().map(|end| end.value).collect();
        let (mean, error) = mean(&ends);
        Some((mean?, error, ends.len()))
    }
}

/// Every later group beside the first, by each figure that is not one of a layer: figures with a control,
/// then the others. Pairs of other data are left out.
pub(super) fn answers(groups: &[Group<'_>], figures: &Figures) -> Vec<Answer> {
    let Some((control, arms)) = groups.split_first() else {
        return Vec::new();
    };
    let seeds: Vec<Vec<i64>> = arms.iter().map(|arm| arm.paired(control)).collect();
    let mut all = Vec::new();
    for figure in &figures.single {
        let of_control = control.ends(&figure.tag);
        for (arm, seeds) in arms.iter().zip(&seeds) {
            let of_arm = arm.ends(&figure.tag);
            let both: Vec<(&Last, &Last)> = seeds
                .iter()
                .filter_map(|seed| Some((of_arm.get(seed)?, of_control.get(seed)?)))
                .collect();
            if both.is_empty() {
                continue;
            }
            let pairs: Vec<(f64, f64)> = both.iter().map(|(a, b)| (a.value, b.value)).collect();
            let names = [&figure.tag, &arm.name, &control.name, &figure.tag].map(String::as_str);
            let mut answer = Answer::paired(names, &pairs, of_arm.len());
            answer.earlier = both.iter().filter(|(a, b)| a.earlier || b.earlier).count();
            all.push(answer);
        }
    }
    all
}

/// A sentence for an answer whose interval leaves 0 out; none for others.
pub(super) fn sentence(answer: &Answer) -> Option<String> {
    let told = [Told::Above, Told::Below].map(Told::words);
    let (low, high) = answer.interval()?;
    told.contains(&answer.told).then(|| {
        format!(
            "`{}` of {} is {} that of {}: {:+.4}, between {low:+.4} and {high:+.4} (95 %, {} seeds).",
            answer.metric,
            answer.arm,
            answer.told,
            answer.control,
            answer.difference.unwrap_or(f64::NAN),
            answer.pairs
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::figures::figures;
    use super::super::one::tests::run;
    use super::*;

    /// Four seeds of two learning rates: kNN is 0.1 higher with the larger one, the area is not.
    fn runs() -> Vec<One> {
        let mut runs = Vec::new();
        for (peak, more) in [(0.1, 0.0), (0.2, 0.1)] {
            for seed in 1..5 {
                let noise = 0.01 * f64::from(seed);
                let flip = if seed % 2 == 0 { more } else { -more };
                let config = format!(
                    "name = \"s{seed}\"\nseed = {seed}\n[schedule]\npeak = {peak}\n[loader]\nthreads = {seed}\n"
                );
                let name = format!("{peak}-{seed}");
                runs.push(run(
                    &name,
                    &config,
                    &[
                        ("eval/knn", &[0.1, 0.5 + noise + more * (1.0 + noise)]),
                        ("unitmem/area/all", &[0.5, 0.5 + noise + flip]),
                    ],
                ));
            }
        }
        runs
    }

    #[test]
    fn seeds_are_paired_and_only_what_leaves_zero_out_is_a_sentence() {
        let runs = runs();
        let groups = groups(&runs);
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["schedule.peak = 0.1", "schedule.peak = 0.2"]);
        assert!(
            groups
                .iter()
                .all(|group| group.runs.len() == 4 && group.seeds() == 4)
        );
        let (mean, error, seeds) = groups[0].mean("eval/knn").unwrap_or_default();
        assert!((mean - 0.525).abs() < 1e-12 && seeds == 4);
        assert!((error.unwrap_or_default() - 0.006_454_972).abs() < 1e-8);
        let answers = answers(&groups, &figures(&runs));
        assert_eq!(answers.len(), 2);
        let told: Vec<&str> = answers.iter().map(|answer| answer.told).collect();
        assert_eq!(told, ["above", "not told apart"]);
        let sentences: Vec<String> = answers.iter().filter_map(sentence).collect();
        assert_eq!(sentences.len(), 1);
        let words = "`eval/knn` of schedule.peak = 0.2 is above that of schedule.peak = 0.1: +0.1025, between";
        assert!(sentences[0].starts_with(words), "{sentences:?}");
        assert!(sentences[0].ends_with("(95 %, 4 seeds)."), "{sentences:?}");
    }

    #[test]
    fn runs_that_are_not_done_and_seeds_without_a_partner_are_in_no_pair() {
        for (one, other) in [
            ("running", "interrupted by signal 15"),
            ("diverged", "failed: no space left on device"),
        ] {
            let mut runs = runs();
            runs[1].outcome = Some(one.to_owned());
            runs[7].outcome = Some(other.to_owned());
            let groups = groups(&runs);
            assert_eq!(groups[0].seeds(), 3, "{one}");
            let answers = answers(&groups, &figures(&runs));
            assert_eq!((answers[0].pairs, answers[0].seeds), (2, 3), "{one}");
            assert!(answers.iter().filter_map(sentence).next().is_none());
        }
        let mut runs = runs();
        runs[1].outcome = Some("stopped: enough".to_owned());
        assert_eq!(groups(&runs)[0].seeds(), 4, "that was on purpose");
    }

    #[test]
    fn a_seed_counts_once_and_the_repeat_is_told() {
        let mut runs = runs();
        let mut again = runs[0].clone();
        again.name = "again".to_owned();
        runs.push(again);
        let groups = groups(&runs);
        assert_eq!((groups[0].runs.len(), groups[0].seeds()), (5, 4));
        let mean = groups[0].mean("eval/knn").map(|(mean, ..)| mean);
        assert!(mean.is_some_and(|mean| (mean - 0.525).abs() < 1e-12));
        let told: Vec<(&str, &str)> = groups
            .iter()
            .flat_map(Group::repeats)
            .map(|(run, first)| (run.name.as_str(), first.name.as_str()))
            .collect();
        assert_eq!(told, [("again", "0.1-1")]);
    }

    #[test]
    fn a_pair_of_other_images_is_in_no_difference() {
        let mut runs = runs();
        for run in &mut runs {
            run.data = Some("a".to_owned());
        }
        runs[6].data = Some("b".to_owned());
        let answers = answers(&groups(&runs), &figures(&runs));
        // It is in no mean of its config either.
        assert_eq!((answers[0].pairs, answers[0].seeds), (3, 3));
    }

    #[test]
    fn other_data_is_shown_and_not_paired() {
        let mut runs = runs();
        for run in runs.iter_mut().skip(4) {
            run.settings
                .insert("limits.train".to_owned(), Value::Integer(9));
        }
        let groups = groups(&runs);
        assert_eq!(groups.len(), 2);
        assert!(answers(&groups, &figures(&runs)).is_empty());
    }
}
