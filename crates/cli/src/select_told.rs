//! What `afterimage select` says of a choice beside its files.

use afterimage::coreset::read::Labels;
use afterimage::coreset::{Coreset, CoresetError, RandomChoices, Selection, Strategy};
use afterimage::files::plain;
use afterimage::track::TextTable;
use serde_json::{Value, json};

use crate::arguments::Select;

/// Chosen samples that are listed.
const LISTED: usize = 10;
/// Classes that are counted on the terminal.
const CLASSES: usize = 12;
/// Distances of random choices that are computed, at most, for more than one of them.
const FEW: usize = 1 << 28;
/// Random choices where they take little.
const DRAWS: u64 = 5;

/// Random choices beside `selection`, and how far the samples `of` lie from the first of them; none for strategies
/// that are random, nor where a group has no chosen sample.
///
/// # Errors
/// Threads that the system refuses.
pub fn at_random(
    selection: &Selection<'_>,
    strategy: &str,
    (samples, count): (usize, usize),
    of: &[usize],
) -> Result<Option<RandomChoices>, CoresetError> {
    if [Strategy::Random.name(), Strategy::Uniform.name()].contains(&strategy) {
        return Ok(None);
    }
    let draws = match samples.saturating_mul(count) <= FEW {
        true => DRAWS,
        false => 1,
    };
    let random = selection.at_random(draws, of)?;
    let finite = random.costs().iter().all(|cost| cost.is_finite());
    Ok(finite.then_some(random))
}

/// What random choices cost, as the end of a sentence about the cost.
pub fn random_told(random: &RandomChoices) -> String {
    let draws = match random.costs().len() {
        1 => "1 draw".to_owned(),
        count => format!("{count} draws"),
    };
    let spread = random.deviation();
    let spread = spread.map_or(String::new(), |sd| format!(" ± {sd:.6}"));
    format!("as many at random: {:.6}{spread}, {draws}", random.mean())
}

/// The same for a summary.
pub fn random_json(random: &RandomChoices) -> Value {
    json!({"mean": random.mean(), "sd": random.deviation(), "draws": random.costs().len()})
}

/// What is to be known of chosen samples that are equal to one chosen before; nothing without any.
pub fn repeats_told(arguments: &Select, coreset: &Coreset) -> String {
    let weights = match (arguments.strategy.as_str(), arguments.weights.as_deref()) {
        ("grad-match", _) => "the fit of grad-match gives them their weights",
        (_, Some("none")) => "each has weight 1",
        (_, Some("radius")) => "each counts the same neighbours",
        _ if arguments.cap.is_some() => {
            "their weight is 0, the one chosen before has it all, as far as --cap leaves it"
        }
        _ => "their weight is 0, the one chosen before has it all",
    };
    match coreset.repeats().len() {
        0 => String::new(),
        repeated => format!(
            "{repeated} of the chosen samples are equal to one chosen before, as far as 24 bits tell: \
             {weights}; choose fewer, or remove the duplicates"
        ),
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
