//! What `afterimage select` says of a choice beside its files.

use afterimage::coreset::read::Labels;
use afterimage::coreset::{Coreset, CoresetError, Selection, Strategy};
use afterimage::files::plain;
use afterimage::track::TextTable;
use afterimage_numeric::mean_and_deviation;
use serde_json::{Value, json};

/// Chosen samples that are listed.
const LISTED: usize = 10;
/// Classes that are counted on the terminal.
const CLASSES: usize = 12;
/// Distances of random choices that are computed, at most, for more than one of them.
const FEW: usize = 1 << 28;
/// Random choices where they take little.
const DRAWS: u64 = 5;

/// What as many samples drawn at random cost.
pub struct AtRandom {
    costs: Vec<f64>,
}

impl AtRandom {
    /// Random choices beside `selection`; none for strategies that are random, nor where a group has no chosen
    /// sample.
    ///
    /// # Errors
    /// Threads that the system refuses.
    pub fn beside(
        selection: &Selection<'_>,
        strategy: &str,
        (samples, count): (usize, usize),
    ) -> Result<Option<Self>, CoresetError> {
        if [Strategy::Random.name(), Strategy::Uniform.name()].contains(&strategy) {
            return Ok(None);
        }
        let draws = match samples.saturating_mul(count) <= FEW {
            true => DRAWS,
            false => 1,
        };
        let costs = selection.random_costs(draws)?;
        let finite = costs.iter().all(|cost| cost.is_finite());
        Ok(finite.then_some(Self { costs }))
    }

    fn mean(&self) -> f64 {
        afterimage_numeric::mean(&self.costs)
    }

    /// The standard deviation over draws, where there are several.
    fn deviation(&self) -> Option<f64> {
        (self.costs.len() > 1).then(|| mean_and_deviation(&self.costs).1)
    }

    /// As the end of a sentence about the cost.
    pub fn told(&self) -> String {
        let draws = match self.costs.len() {
            1 => "1 draw".to_owned(),
            count => format!("{count} draws"),
        };
        let spread = self
            .deviation()
            .map_or(String::new(), |sd| format!(" ± {sd:.6}"));
        format!("as many at random: {:.6}{spread}, {draws}", self.mean())
    }

    pub fn json(&self) -> Value {
        json!({"mean": self.mean(), "sd": self.deviation(), "draws": self.costs.len()})
    }
}

/// Chosen and all samples of each class, in the order of the classes.
pub fn classes(labels: &Labels, coreset: &Coreset) -> Vec<(String, usize, usize)> {
    let mut counts: Vec<_> = labels
        .names
        .iter()
        .map(|name| (name.clone(), 0, 0))
        .collect();
    for &class in &labels.classes {
        counts[class as usize].2 += 1;
    }
    for &sample in &coreset.indices {
        counts[labels.classes[sample] as usize].1 += 1;
    }
    counts
}

/// A line of the classes; those behind the first are only counted.
pub fn classes_told(counts: &[(String, usize, usize)]) -> String {
    let first: Vec<String> = counts
        .iter()
        .take(CLASSES)
        .map(|(name, chosen, all)| format!("{} {chosen} of {all}", plain(name)))
        .collect();
    let more = match counts.len().saturating_sub(CLASSES) {
        0 => String::new(),
        more => format!(", and {more} classes more"),
    };
    format!("classes: {}{more}\n", first.join(", "))
}

/// The first of the chosen samples, in the order of choice, by their ids.
pub fn list(ids: &[String], labels: Option<&Labels>, coreset: &Coreset) -> TextTable {
    let header = ["", "sample", "class", "weight"];
    let mut table = TextTable::new("First of the chosen samples", &header);
    let chosen = coreset.indices.iter().zip(&coreset.weights).zip(1..);
    for ((&sample, &weight), rank) in chosen.take(LISTED) {
        let class = labels.map_or("–", |labels| {
            labels.names[labels.classes[sample] as usize].as_str()
        });
        table.row([
            rank.to_string(),
            plain(&ids[sample]).into_owned(),
            plain(class).into_owned(),
            weight.to_string(),
        ]);
    }
    table
}
