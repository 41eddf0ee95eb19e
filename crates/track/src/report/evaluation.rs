//! Loss, learning rate, and what the encoder is good for.

use afterimage_report::{Axis, Chart, Section, Series};

use super::load::Run;
use super::sections::{Dated, series, together};

/// Loss and learning rate.
pub fn training(run: &Run) -> Section {
    let rate = run.scalar("lr").map(|scalar| {
        Chart::lines(
            "learning rate",
            Axis::Steps,
            vec![series("lr", scalar, false)],
        )
    });
    let charts = [
        together(run, "loss", "loss/"),
        together(run, "learning rate", "lr/"),
        rate,
    ];
    Section::new("Training")
        .figures(charts.into_iter().flatten())
        .folded()
}

/// kNN and linear probes: of the encoder, of its reference, and before training.
pub fn evaluation(run: &Run) -> Section {
    let section = Section::new("Usefulness");
    let mut lines: Vec<Dated> = Vec::new();
    let mut controls = Vec::new();
    for (name, scalar) in run.below("eval/") {
        let control = ["reference", "random", "initial"]
            .iter()
            .any(|word| name.contains(word));
        lines.push((series(name, scalar, control), scalar.epochs.clone()));
        if let Some(first) = scalar
            .first()
            .filter(|_| !control && scalar.points.len() > 1)
        {
            let points = scalar.points.iter().map(|point| (point.0, first)).collect();
            let flat = Series::new(format!("{name} {}", run.start()), points).dashed(true);
            controls.push((flat, scalar.epochs.clone()));
        }
    }
    if lines.is_empty() {
        return section;
    }
    lines.extend(controls);
    let note = match lines.iter().any(|(line, _)| line.dashed) {
        true => format!(
            "Dashed lines are controls: the encoder {}, and the reference encoder of a pair.",
            run.start()
        ),
        false => String::new(),
    };
    let chart = Chart::over_time("evaluation", lines);
    section.note(note).figures([chart])
}
