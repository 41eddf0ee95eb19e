//! Writes the records of a made-up run, to look at TensorBoard and the report without training.
//!
//! `cargo run --release -p afterimage-track --example synthetic_run -- DIR [RESUME_STEP]`
//!
//! With `RESUME_STEP` the run goes on from that step, as after a kill.

use std::error::Error;
use std::f64::consts::TAU;
use std::path::PathBuf;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Clock, Column, Measurement, Recorder, Table};
use afterimage_track::{Report, Sinks, code_block, files, unitmem_layout};

const EPOCHS: u32 = 20;
const STEPS: u64 = 50;
const UNITS: usize = 256;
const CONFIG: &str = "name = \"synthetic\"\nseed = 1\n\n[train]\nepochs = 20\nbatch_size = 128\n";

/// A number in [0, 1) that depends on the key alone.
fn noise(key: u64) -> f64 {
    let key = RandomKey::new(0, Stream::Plugin).step(key);
    key.generator().uniform()
}

/// UnitMem of the units of layer `depth`, whose mean grows with `strength`.
fn units(depth: usize, strength: f64, epoch: u32) -> Vec<f64> {
    let value = |unit: usize| {
        let key = (unit * 977 + depth * 31) as u64 * 131 + u64::from(epoch);
        let bell = (noise(key) + noise(key + 1_000_003) + noise(key + 2_000_003)) / 3.0;
        (strength + (bell - 0.5) * 0.5).clamp(0.0, 1.0)
    };
    (0..UNITS).map(value).collect()
}

/// A sheet of 8 × 2 tiles of 24 pixels.
fn sheet(depth: usize, epoch: u32) -> Measurement {
    let (width, height) = (192u32, 48u32);
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let tile = f64::from(x / 24 + 8 * (y / 24) + 16 * epoch) + depth as f64;
            let wave = ((f64::from(x % 24) + f64::from(y % 24) * (tile % 3.0)) / 24.0 * TAU).sin();
            for channel in 0..3 {
                let phase = (tile + f64::from(channel) * 2.0).sin();
                rgb.push((127.0 + 100.0 * wave * phase) as u8);
            }
        }
    }
    Measurement::Image { width, height, rgb }
}

fn probe(recorder: &mut Recorder, clock: &Clock, sites: &[String]) {
    let progress = f64::from(clock.epoch) / f64::from(EPOCHS);
    let mut table: (Vec<String>, Vec<i64>, Vec<f64>) = Default::default();
    for (depth, site) in sites.iter().enumerate() {
        let share = depth as f64 / sites.len() as f64;
        let (initial, held_out) = (0.22 + 0.05 * share, 0.25 + 0.1 * progress * share);
        let trained = initial + progress * (0.15 + 0.35 * share);
        let mut put = |tag: String, value| recorder.record("unitmem", clock, tag, value);
        put(
            format!("unitmem/mean/train/{site}"),
            Measurement::Scalar(trained),
        );
        put(
            format!("unitmem/mean/held_out/{site}"),
            Measurement::Scalar(held_out),
        );
        put(
            format!("unitmem/mean/initial/{site}"),
            Measurement::Scalar(initial),
        );
        put(
            format!("unitmem/excess/held_out/{site}"),
            Measurement::Scalar(trained - held_out),
        );
        put(
            format!("unitmem/excess/initial/{site}"),
            Measurement::Scalar(trained - initial),
        );
        put(
            format!("unitmem/turnover/{site}"),
            Measurement::Scalar(1.0 - progress * (1.0 - share)),
        );
        let values = units(depth, trained, clock.epoch);
        put(
            format!("unitmem/train/{site}"),
            Measurement::Histogram(values.clone()),
        );
        put(format!("unitmem/owners/{site}"), sheet(depth, clock.epoch));
        table.0.extend(vec![site.clone(); UNITS]);
        table.1.extend(0..UNITS as i64);
        table.2.extend(values);
    }
    let columns = vec![
        ("site".to_owned(), Column::Text(table.0)),
        ("unit".to_owned(), Column::I64(table.1)),
        ("unitmem".to_owned(), Column::F64(table.2)),
    ];
    recorder.record(
        "unitmem",
        clock,
        "unitmem/units",
        Measurement::Table(Table { columns }),
    );
    let mut eval =
        |tag: &str, value| recorder.record("loop", clock, tag, Measurement::Scalar(value));
    eval("eval/knn", 0.3 + 0.4 * progress.sqrt());
    eval("eval/knn_random_init", 0.3);
    eval("eval/linear_probe", 0.35 + 0.45 * progress.sqrt());
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let run = PathBuf::from(arguments.next().ok_or("name a folder to write to")?);
    let resume = arguments
        .next()
        .map(|step| step.parse::<u64>())
        .transpose()?;
    let sites: Vec<String> = [
        "stem.act",
        "layer1.0.act1",
        "layer1.0.act2",
        "layer2.0.act1",
        "layer2.0.act2",
        "layer3.0.act1",
        "layer3.0.act2",
        "layer4.0.act1",
        "layer4.0.act2",
        "pool",
    ]
    .iter()
    .map(|name| format!("encoder.{name}"))
    .collect();
    let mut sinks = Sinks::for_run(&run, resume, &unitmem_layout(&sites));
    let mut recorder = Recorder::default();
    let steps = STEPS * u64::from(EPOCHS);
    if resume.is_none() {
        std::fs::write(run.join(files::CONFIG), CONFIG)?;
        let clock = Clock {
            epoch: 0,
            step: 0,
            epochs: EPOCHS,
            steps,
            epoch_began: None,
        };
        recorder.record(
            "loop",
            &clock,
            "config",
            Measurement::Text(code_block(CONFIG)),
        );
        probe(&mut recorder, &clock, &sites);
    }
    for step in resume.unwrap_or(0) + 1..=steps {
        let epoch = u32::try_from(step.div_ceil(STEPS))?;
        let clock = Clock {
            epoch,
            step,
            epochs: EPOCHS,
            steps,
            epoch_began: None,
        };
        let progress = step as f64 / steps as f64;
        let mut put =
            |tag: &str, value| recorder.record("loop", &clock, tag, Measurement::Scalar(value));
        put(
            "loss/train",
            5.2 - 2.2 * progress.sqrt() + 0.3 * (noise(step) - 0.5),
        );
        put("lr", 0.5 * (1.0 + (progress * TAU / 2.0).cos()) * 0.3);
        if step.is_multiple_of(STEPS) {
            put("overhead/unitmem", 0.04 + 0.01 * noise(step));
            put("time/images_per_second", 900.0 + 50.0 * noise(step));
            if epoch.is_multiple_of(2) {
                probe(&mut recorder, &clock, &sites);
            }
            sinks.write_all(&recorder.drain());
            sinks.flush();
        }
    }
    if let Some(disabled) = sinks.disabled().first() {
        return Err(disabled.reason.clone().into());
    }
    Report::from_run(&run)?.write(&run.join(files::REPORT))?;
    Ok(())
}
