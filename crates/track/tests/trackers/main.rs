//! Other tools hold what `metrics.jsonl` does, and what is wrong with them hurts nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mlflow;
mod prometheus;
mod server;
mod trackio;

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_hooks::{Measurement, Outcome, Record};
use afterimage_track::{
    Disabled, HParam, Number, ScalarLine, SinkConfig, Sinks, Subject, read_scalars,
};

/// Steps of the made-up run.
const STEPS: u64 = 12;

/// The records of a step: each value an awkward one, and a tag that is measured twice.
fn records(step: u64) -> Vec<Record> {
    let record = |tag: &str, value: f64| Record {
        tag: tag.to_owned(),
        epoch: u32::try_from(step / 4).unwrap(),
        step,
        author: "test".to_owned(),
        value: Measurement::Scalar(value),
    };
    let third = step as f64 / 3.0 * 1e-7;
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    let mut all = vec![
        record("loss/step", third),
        record("odd", odd[step as usize % 4]),
        record("time/epoch", 0.25),
    ];
    if step.is_multiple_of(4) {
        all.push(record("unitmem/mean/a b:c", 1e300 / (step + 1) as f64));
        all.push(record("loss/step", third + 1.0));
        all.push(Record {
            value: Measurement::Histogram(vec![1.0]),
            ..record("histogram", 0.0)
        });
    }
    all
}

fn subject(run: &Path) -> Subject {
    let settings = [
        ("seed", HParam::Number(7.0)),
        ("optimizer.kind", HParam::Text("sgd".to_owned())),
        ("plugins.watch.histograms", HParam::Flag(false)),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value));
    Subject::new(run, "made-up", BTreeMap::from(settings))
}

/// Lets a run go from the step behind `resume` on, without an end.
fn go(run: &Path, sinks: &[SinkConfig], resume: Option<u64>, to: u64) -> Sinks {
    let mut all = Sinks::for_run(run, resume, &[]);
    all.add_trackers(sinks, &subject(run), resume);
    for step in resume.map_or(0, |step| step + 1)..=to {
        all.write_all(&records(step));
    }
    all.flush();
    all
}

/// A run that is trained to its end; what is lost of it.
fn whole(run: &Path, sinks: &[SinkConfig], resume: Option<u64>) -> Vec<Disabled> {
    let mut all = go(run, sinks, resume, STEPS);
    all.close(&Outcome::Completed);
    all.disabled()
}

/// Points as step, tag and shown value, sorted.
type Points = Vec<(u64, String, String)>;

fn shown(value: f64) -> String {
    format!("{value:?}")
}

fn sorted(points: impl Iterator<Item = (u64, String, f64)>) -> Points {
    let mut all: Points = points
        .map(|(step, tag, value)| (step, tag, shown(value)))
        .collect();
    all.sort();
    all
}

/// What `metrics.jsonl` holds.
fn expected(run: &Path) -> Points {
    let lines = read_scalars(&run.join("metrics.jsonl")).unwrap();
    assert!(lines.iter().all(|line| line.tag != "time/epoch"));
    let point = |line: ScalarLine| {
        let Number(value) = line.value;
        (line.step, line.tag, value)
    };
    sorted(lines.into_iter().map(point))
}
