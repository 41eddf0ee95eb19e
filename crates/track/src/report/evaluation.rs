//! Loss, learning rate, and what the encoder is good for.

use super::chart::{Axis, Series, line_chart};
use super::load::Run;
use super::page::{folded, section};
use super::sections::{over_time, series, together};

/// Loss and learning rate.
pub fn training(run: &Run) -> String {
    let rate = run.scalar("lr").map(|scalar| {
        line_chart(
            "learning rate",
            &Axis::Steps,
            &[series("lr", scalar, false)],
        )
    });
    let charts = together(run, "loss", "loss/")
        + &together(run, "learning rate", "lr/")
        + &rate.unwrap_or_default();
    folded("Training", "", &charts)
}

/// kNN and linear probes: of the encoder, of its reference, and before training.
pub fn evaluation(run: &Run) -> String {
    let scalars: Vec<_> = run.below("eval/").collect();
    if scalars.is_empty() {
        return String::new();
    }
    let mut lines: Vec<(Series, Vec<u32>)> = Vec::new();
    let mut controls = Vec::new();
    for (name, scalar) in scalars {
        let control = ["reference", "random", "initial"]
            .iter()
            .any(|word| name.contains(word));
        lines.push((series(name, scalar, control), scalar.epochs.clone()));
        if let Some(first) = scalar
            .first()
            .filter(|_| !control && scalar.points.len() > 1)
        {
            let flat = Series {
                label: format!("{name} {}", run.start()),
                points: scalar.points.iter().map(|point| (point.0, first)).collect(),
                dashed: true,
            };
            controls.push((flat, scalar.epochs.clone()));
        }
    }
    lines.extend(controls);
    let dashed = lines.iter().any(|(line, _)| line.dashed);
    let note = match dashed {
        true => format!(
            "Dashed lines are controls: the encoder {}, and the reference encoder of a pair.",
            run.start()
        ),
        false => String::new(),
    };
    section("Usefulness", &note, &over_time("evaluation", lines))
}
