//! A text file for Prometheus: the last value of each scalar.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, "Text-based format"; read by the textfile
//! collector of the node exporter, which asks that a file appears whole under its name and ends in `.prom`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use afterimage_hooks::Outcome;

use super::identity::Known;
use super::point::Point;
use super::{Delivered, Tracker, failed, shown};
use crate::TrackError;
use crate::files::{folder_of, write_beside};

/// Digits of the id in labels and in the file's name.
const DIGITS: usize = 8;

/// Writes the file of one run anew with each delivery.
///
/// All scalars are one metric with the tag as a label: tags have characters that names of metrics lack, and two
/// tags must not become one name.
pub(crate) struct Prometheus {
    folder: PathBuf,
    path: PathBuf,
    labels: String,
    values: BTreeMap<String, (u64, f64)>,
    last: Option<Point>,
    running: bool,
}

impl Prometheus {
    pub(crate) fn new(folder: &Path, run: Known) -> Self {
        let title = run.title(None);
        let id: String = run.id.chars().take(DIGITS).collect();
        let name = format!("afterimage-{}-{id}.prom", folder_of(&title));
        Self {
            folder: folder.to_owned(),
            path: folder.join(name),
            labels: format!("run=\"{}\",id=\"{id}\"", escaped(&title)),
            values: BTreeMap::new(),
            last: None,
            running: true,
        }
    }

    fn write(&self) -> Result<(), TrackError> {
        if !self.folder.is_dir() {
            return Err(failed(
                "Prometheus",
                &shown(&self.folder),
                "the folder is gone",
            ));
        }
        write_beside(&self.path, self.text().as_bytes())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let labels = &self.labels;
        let mut family = |name: &str, help: &str, lines: &[(String, String)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (labels, value) in lines {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        };
        let one = |value: String| [(labels.clone(), value)];
        let running = if self.running { "1" } else { "0" };
        family(
            "afterimage_running",
            "1 while the run is at work, 0 after its end.",
            &one(running.to_owned()),
        );
        if let Some(last) = &self.last {
            let seconds = last.time as f64 / 1e3;
            for (name, help, value) in [
                (
                    "afterimage_epoch",
                    "Epochs finished at the last measurement.",
                    last.epoch.to_string(),
                ),
                (
                    "afterimage_step",
                    "Optimizer steps finished at the last measurement.",
                    last.step.to_string(),
                ),
                (
                    "afterimage_measured_timestamp_seconds",
                    "Time of the last measurement.",
                    seconds.to_string(),
                ),
            ] {
                family(name, help, &one(value));
            }
        }
        let tagged = |tag: &str| format!("{labels},tag=\"{}\"", escaped(tag));
        let (values, steps): (Vec<_>, Vec<_>) = self
            .values
            .iter()
            .map(|(tag, (step, value))| {
                let labels = tagged(tag);
                ((labels.clone(), number(*value)), (labels, step.to_string()))
            })
            .unzip();
        if !values.is_empty() {
            let help = "Last value of each scalar of the run.";
            family("afterimage_value", help, &values);
            let help = "Optimizer steps finished when that value was measured.";
            family("afterimage_value_step", help, &steps);
        }
        text
    }
}

impl Tracker for Prometheus {
    fn begin(&mut self) -> Result<(), TrackError> {
        self.write()
    }

    fn deliver(&mut self, points: &[Point]) -> Result<Delivered, TrackError> {
        for point in points {
            let there = self.values.get(&point.tag);
            if there.is_none_or(|(step, _)| *step <= point.step) {
                self.values
                    .insert(point.tag.clone(), (point.step, point.value));
            }
            if self
                .last
                .as_ref()
                .is_none_or(|last| last.step <= point.step)
            {
                self.last = Some(point.clone());
            }
        }
        self.write()?;
        Ok(Delivered::default())
    }

    fn end(&mut self, outcome: &Outcome) -> Result<(), TrackError> {
        let _ = outcome;
        self.running = false;
        self.write()
    }
}

/// A label's value between its quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A value with all of its digits.
fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        _ => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_numbers_are_as_the_format_asks() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
        for (value, text) in [
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e-7, "1e-7"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
