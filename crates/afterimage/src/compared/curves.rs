//! Figures of several runs over each other: over training, and along the layers at the end.

use std::collections::BTreeMap;

use afterimage_report::{Axis, Chart, Section, Series};
use afterimage_sweep::mean;
use afterimage_track::Scalar;

use super::figures::{Family, Figures, end};
use super::groups::Group;
use super::one::One;

/// The curves: of figures that have a control at once, of the others when they are asked for.
pub(super) fn over_training(runs: &[One], figures: &Figures) -> [Section; 2] {
    let charts = |controlled: bool| {
        let of = figures.single.iter();
        of.filter(move |figure| figure.controlled == controlled)
            .filter_map(|figure| over_each_other(runs, &figure.tag))
    };
    let note = "A line a run. Controls stand in the table of figures, and on each run's own page.";
    [
        Section::new("Curves").note(note).figures(charts(true)),
        Section::new("Other curves").figures(charts(false)).folded(),
    ]
}

/// One figure of all runs; nothing where no run has it twice.
fn over_each_other(runs: &[One], tag: &str) -> Option<Chart> {
    let lines: Vec<(Series, Vec<u32>)> = runs
        .iter()
        .filter_map(|run| {
            let scalar = run.scalar(tag)?;
            let line = Series::new(run.name.clone(), scalar.points.clone());
            Some((line, scalar.epochs.clone()))
        })
        .collect();
    let is_drawn = lines.iter().any(|(line, _)| line.points.len() > 1);
    is_drawn.then(|| Chart::over_time(tag, lines))
}

/// The last values of figures that layers have, along the layers.
pub(super) fn along_layers(runs: &[One], figures: &Figures) -> [Section; 2] {
    let charts = |controlled: bool| {
        let of = figures.by_layer.iter();
        of.filter(move |family| family.controlled == controlled)
            .map(|family| profile(runs, family))
    };
    [
        Section::new("By layer, at the end")
            .note("A line a run, layers from input to output.")
            .figures(charts(true)),
        Section::new("Other figures by layer, at the end")
            .figures(charts(false))
            .folded(),
    ]
}

fn profile(runs: &[One], family: &Family) -> Chart {
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
        let points = ends.iter().map(|(at, end)| (*at as f64, end.value));
        lines.push(Series::new(run.name.clone(), points.collect()));
        let error = |end: &super::figures::End| end.error.unwrap_or(f64::NAN);
        errors.push(ends.iter().map(|(_, end)| error(end)).collect::<Vec<f64>>());
    }
    if errors.iter().flatten().any(|error| error.is_finite()) {
        let both = lines.into_iter().zip(errors);
        lines = both.map(|(line, errors)| line.errors(errors)).collect();
    }
    let title = family.prefix.trim_end_matches('/');
    Chart::lines(title, Axis::Layers(family.layers.clone()), lines)
}

/// Means over the seeds of each group by epoch, with bars of one standard error, of figures that have a
/// control.
pub(super) fn of_groups(groups: &[Group<'_>], figures: &Figures) -> Vec<Chart> {
    let of = figures.single.iter().filter(|figure| figure.controlled);
    of.filter_map(|figure| means(groups, &figure.tag)).collect()
}

fn means(groups: &[Group<'_>], tag: &str) -> Option<Chart> {
    let lines: Vec<Series> = groups
        .iter()
        .filter_map(|group| mean_of(group, tag))
        .collect();
    let is_drawn = lines.iter().any(|line| line.points.len() > 1);
    is_drawn.then(|| Chart::lines(tag, Axis::Counts("epoch".to_owned()), lines))
}

/// The mean over the runs of a group that are done, by epoch.
fn mean_of(group: &Group<'_>, tag: &str) -> Option<Series> {
    let scalars: Vec<&Scalar> = group
        .counted
        .values()
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
        return None;
    }
    let moments = |values: &Vec<f64>| {
        let (mean, error) = mean(values);
        (mean.unwrap_or(f64::NAN), error.unwrap_or(f64::NAN))
    };
    let label = format!("{} (mean of {})", group.name, scalars.len());
    let points = by_epoch
        .iter()
        .map(|(epoch, values)| (f64::from(*epoch), moments(values).0));
    let errors = by_epoch.values().map(|values| moments(values).1);
    Some(Series::new(label, points.collect()).errors(errors.collect()))
}

#[cfg(test)]
mod tests {
    use maud::Render as _;

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
        let shown = |sections: &[Section]| -> String {
            let html = |section: &Section| section.render().into_string();
            sections.iter().map(html).collect()
        };
        let curves = shown(&over_training(&runs, &figures));
        assert_eq!(curves.matches("<svg").count(), 2, "{curves}");
        assert!(curves.contains("utf-8,epoch,a,b%0A0,0.1,0.1%0A1,0.5,0.7%0A"));
        let layers = shown(&along_layers(&runs, &figures));
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
        let means = shown(&[Section::new("means").figures(means)]);
        assert!(
            means.contains("(mean of 2)") && means.contains("0A1,0.65,0.05%0A"),
            "{means}"
        );
    }
}
