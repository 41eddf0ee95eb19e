//! What is said of a choice.

use afterimage_coreset::RandomChoices;
use afterimage_report::short;
use maud::{Markup, html};

use super::Choice;

/// What was chosen, how it covers the samples beside chance, and where the rest stands.
pub(super) fn told(choice: &Choice<'_>) -> Markup {
    html! {
        p {
            (choice.coreset.indices.len()) " of " (choice.points.len()) " samples, chosen by "
            code { (choice.strategy) } ". " (coverage(choice))
        }
        p.note {
            "All of the chosen, in the order of choice and with their weights, are in "
            a href="coreset.csv" { "coreset.csv" } "; settings, times and memory in "
            a href="summary.json" { "summary.json" } "."
        }
    }
}

/// The k-medoids cost beside that of random choices.
fn coverage(choice: &Choice<'_>) -> String {
    let coreset = choice.coreset;
    if !coreset.cost.is_finite() {
        let left_out = coreset.owners.iter().filter(|owner| owner.is_none());
        return format!(
            "{} samples are of groups of which none was chosen, so that there is no cost: choose more to have \
             some of each.",
            left_out.count()
        );
    }
    let cost = format!(
        "The distances of all samples to the nearest chosen one{} add up to {} (k-medoids cost)",
        choice.of_group(),
        short(coreset.cost)
    );
    match choice.at_random {
        None => format!("{cost}. The choice is random itself, and stands beside no other."),
        Some(random) => format!("{cost}, {}", beside(coreset.cost, random)),
    }
}

/// A cost beside those of random choices.
fn beside(cost: f64, random: &RandomChoices) -> String {
    let (mean, draws) = (random.mean(), random.costs().len());
    match random.deviation() {
        Some(sd) => format!(
            "those to as many drawn at random to {} ± {} (standard deviation, {draws} draws). {}",
            short(mean),
            short(sd),
            verdict(cost, mean, Some(sd), draws)
        ),
        None => format!(
            "those to as many drawn at random to {} (one draw). {}",
            short(mean),
            verdict(cost, mean, None, draws)
        ),
    }
}

/// Whether a cost lies below what random draws come to, in words. Two standard deviations of the difference between
/// it and the mean of the draws are what draws differ by.
fn verdict(cost: f64, mean: f64, deviation: Option<f64>, draws: usize) -> String {
    if cost == 0.0 && mean == 0.0 {
        return "All samples lie at a chosen one, and would at random ones: there is nothing to compare.".to_owned();
    }
    let reach = deviation.map_or(0.0, |sd| 2.0 * sd * (1.0 + 1.0 / draws as f64).sqrt());
    if (cost - mean).abs() <= reach || cost == mean {
        return "That is within what random draws differ by: the choice covers no better than chance.".to_owned();
    }
    let part = format!("{:.1} %", 100.0 * (cost - mean).abs() / mean);
    match cost < mean {
        true => format!("The samples lie {part} nearer than by chance."),
        false => format!(
            "The samples lie {part} farther than by chance: this choice is not made to cover them."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_told_beside_what_chance_reaches() {
        let told = |cost, sd, draws| verdict(cost, 10.0, sd, draws);
        assert_eq!(
            told(8.0, Some(0.1), 5),
            "The samples lie 20.0 % nearer than by chance."
        );
        assert!(told(13.0, Some(0.1), 5).contains("30.0 % farther"));
        // Two deviations of one draw beside the mean of five: 2 · 1 · √1.2.
        assert!(told(10.0 - 2.19, Some(1.0), 5).contains("no better than chance"));
        assert!(told(10.0 - 2.2, Some(1.0), 5).contains("22.0 % nearer"));
        // Of one draw nothing is known of others.
        assert!(told(9.9, None, 1).contains("1.0 % nearer"));
        assert!(verdict(0.0, 0.0, None, 1).contains("nothing to compare"));
    }
}
