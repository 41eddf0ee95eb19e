//! Figures of several runs over each other: over training, and along the layers at the end.

use std::collections::BTreeMap;

use afterimage_sweep::mean;
use afterimage_track::Scalar;
use afterimage_track::html::{
    Axis, Dated, Series, error_chart, folded, line_chart, over_time, section,
};

use super::figures::{Family, Figures, end};
use super::groups::Group;
use super::one::One;

/// The curves: of figures that have a control at once, of the others when they are asked for.
pub(super) fn over_training(runs: &[One], figures: &Figures) -> String {
    let charts = |controlled: bool| -> String {
        let of = figures.single.iter();
        of.filter(|figure| figure.controlled == controlled)
            .map(|figure| over_each_other(runs, &figure.tag))
            .collect()
    };
    section(
        "Curves",
        "A line a run. Controls stand in the table of figures, and on each run's own page.",
        &charts(true),
    ) + &folded("Other curves", "", &charts(false))
}

/// One figure of all runs; nothing where no run has it twice.
fn over_each_other(runs: &[One], tag: &str) -> String {
    let lines: Vec<Dated> = runs
        .iter()
        .filter_map(|run| {
            let scalar = run.scalar(tag)?;
            let line = Series {
                label: run.name.clone(),
                points: scalar.points.clone(),
                dashed: false,
            };
            Some((line, scalar.epochs.clone()))
        })
        .collect();
    match lines.iter().any(|(line, _)| line.points.len() > 1) {
        true => over_time(tag, lines),
        false => String::new(),
    }
}

/// The last values of figures that layers have, along the layers.
pub(super) fn along_layers(runs: &[One], figures: &Figures) -> String {
    let charts = |controlled: bool| -> String {
        let of = figures.by_layer.iter();
        of.filter(|family| family.controlled == controlled)
            .map(|family| profile(runs, family))
            .collect()
    };
    section(
        "By layer, at the end",
        "A line a run, layers from input to output.",
        &charts(true),
    ) + &folded("Other figures by layer, at the end", "", &charts(false))
}

fn profile(runs: &[One], family: &Family) -> String {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for run in runs {
        let ends: Vec<_> = family
            .layers
            .iter()
            .enumerate()
            .filter_map(|(at, layer)| Some((at, end(run, &format!("{}{layer}", family.prefix))?)))
            .collect();
        if ends.is_empty() {
            continue;
        }
        lines.push(Series {
            label: run.name.clone(),
            points: ends
                .iter()
                .map(|(at, end)| (*at as f64, end.value))
                .collect(),
            dashed: false,
        });
        let error = |end: &super::figures::End| end.error.unwrap_or(f64::NAN);
        errors.push(ends.iter().map(|(_, end)| error(end)).collect::<Vec<f64>>());
    }
    let title = family.prefix.trim_end_matches('/');
    let axis = Axis::Names(family.layers.clone());
    match errors.iter().flatten().any(|error| error.is_finite()) {
        true => error_chart(title, &axis, &lines, &errors),
        false => line_chart(title, &axis, &lines),
    }
}

/// Means over the seeds of each group by epoch, with bars of one standard error, of figures that have a
/// control.
pub(super) fn of_groups(groups: &[Group<'_>], figures: &Figures) -> String {
    let of = figures.single.iter().filter(|figure| figure.controlled);
    of.map(|figure| means(groups, &figure.tag)).collect()
}

fn means(groups: &[Group<'_>], tag: &str) -> String {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for group in groups {
        let scalars: Vec<&Scalar> = group
            .counted()
            .into_values()
            .filter_map(|run| run.scalar(tag))
            .collect();
        let mut by_epoch: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for scalar in &scalars {
            for (epoch, value) in scalar.by_epoch() {
                by_epoch.entry(epoch).or_default().push(value);
            }
        }
        // A mean of fewer runs than beside it would jump.
        by_epoch.retain(|_, values| values.len() == scalars.len());
        if by_epoch.is_empty() {
            continue;
        }
        let moments = |values: &Vec<f64>| {
            let (mean, error) = mean(values);
            (mean.unwrap_or(f64::NAN), error.unwrap_or(f64::NAN))
        };
        lines.push(Series {
            label: format!("{} (mean of {})", group.name, scalars.len()),
            points: by_epoch
                .iter()
                .map(|(epoch, values)| (f64::from(*epoch), moments(values).0))
                .collect(),
            dashed: false,
        });
        errors.push(by_epoch.values().map(|values| moments(values).1).collect());
    }
    match lines.iter().any(|line| line.points.len() > 1) {
        true => error_chart(tag, &Axis::Counts("epoch".to_owned()), &lines, &errors),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::figures;
    use super::super::groups::groups;
    use super::super::one::tests::run;
    use super::*;

    #[test]
    fn runs_lie_over_each_other_in_one_chart_a_figure() {
        let runs = [("a", 0.5), ("b", 0.7)].map(|(name, last)| {
            let config = format!("seed = 1\nwidth = {last}\n");
            let at = [last];
            run(
                name,
                &config,
                &[
                    ("eval/knn", &[0.1, last]),
                    ("lr", &[0.1, 0.0]),
                    ("unitmem/mean/train/encoder.a", &at),
                    ("unitmem/mean/train/encoder.b", &at),
                ],
            )
        });
        let figures = figures(&runs);
        let curves = over_training(&runs, &figures);
        assert_eq!(curves.matches("<svg").count(), 2, "{curves}");
        assert!(curves.contains("utf-8,epoch,a,b%0A0,0.1,0.1%0A1,0.5,0.7%0A"));
        let layers = along_layers(&runs, &figures);
        assert!(
            layers.contains("layer,a,b%0Aencoder.a,0.5,0.7%0A"),
            "{layers}"
        );
        let seeds = [("a", 1), ("b", 2)].map(|(name, seed)| {
            let last = 0.5 + f64::from(seed) / 10.0;
            run(
                name,
                &format!("seed = {seed}\n"),
                &[("eval/knn", &[0.1, last])],
            )
        });
        let means = of_groups(&groups(&seeds), &figures);
        assert!(
            means.contains("(mean of 2)") && means.contains("0A1,0.65,0.05%0A"),
            "{means}"
        );
    }
}
