//! The files of a study.

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_files::Partial;
use afterimage_hooks::{Column, Measurement, Record, Sink as _, Table};
use afterimage_track::files::write_beside;
use afterimage_track::{TensorBoard, TrackError, write_csv, write_table};
use serde_json::{Value, json};

use super::arm::{Arm, word};
use super::{Chosen, Sensitivity, page};
use crate::error::RunError;
use crate::whole::publish;

const CSV: &str = "sensitivity.csv";
const PARQUET: &str = "sensitivity.parquet";
const PAGE: &str = "sensitivity.html";
const CONFIG: &str = "config.toml";
const EVENTS: &str = "tensorboard";

/// Writes everything to `folder`, which appears when it is complete; `config` is the resolved config of the
/// study.
pub(super) fn write(found: &Sensitivity, config: &str, folder: Partial) -> Result<(), RunError> {
    publish(folder, |partial| files(found, config, partial))
}

fn files(found: &Sensitivity, config: &str, folder: &Path) -> Result<(), RunError> {
    let table = table(found);
    write_table(&folder.join(PARQUET), &table)?;
    write_csv(&folder.join(CSV), &table)?;
    write_beside(&folder.join(PAGE), page::render(found).as_bytes())?;
    write_beside(&folder.join(CONFIG), config.as_bytes())?;
    events(found, &folder.join(EVENTS))
}

impl Sensitivity {
    /// The result as JSON, for other programs; what was not measured is left out.
    pub fn json(&self) -> Value {
        let arm = |arm: &Arm| {
            let figures = &arm.figures;
            let number = |value: f64| (!value.is_nan()).then_some(value);
            json!({
                "site": arm.site,
                "fraction": arm.fraction,
                "score": arm.chosen.score(),
                "direction": arm.chosen.direction(),
                "draw": arm.chosen.draw(),
                "gone": arm.gone,
                "knn": figures.knn,
                "knn_lost": figures.knn_lost,
                "knn_lost_se": number(figures.knn_lost_se),
                "linear_probe": figures.linear_probe,
                "cosine_distance": number(figures.cosine_distance),
                "relative_l2": number(figures.relative_l2),
                "macs": arm.macs,
                "layermem": arm.layermem.map(|mem| mem.mean),
                "milliseconds": arm.milliseconds,
            })
        };
        let proposal = self.proposal.as_ref().map(|proposal| {
            let sites = proposal.sites.iter();
            let fractions: BTreeMap<&str, f64> = sites
                .map(|site| (site.name.as_str(), site.fraction))
                .collect();
            json!({
                "budget": proposal.budget.to_string(),
                "score": proposal.way.0.word(),
                "direction": word(proposal.way.1),
                "fractions": fractions,
                "protect": proposal.protect,
                "left": proposal.left,
                "knn_lost": proposal.measured.knn_lost,
                "knn_lost_se": proposal.measured.knn_lost_se,
                "predicted": proposal.predicted.0,
                "random_knn_lost": proposal.random.knn_lost,
                "uniform_knn_lost": proposal.uniform.as_ref().map(|u| u.measured.knn_lost),
            })
        });
        json!({
            "exit_code": 0,
            "epoch": self.epoch,
            "step": self.step,
            "whole": arm(&self.whole),
            "arms": self.arms.iter().map(arm).collect::<Vec<_>>(),
            "proposal": proposal,
        })
    }
}

/// A row an arm, the encoder as it is first; NaN for what was not measured.
fn table(found: &Sensitivity) -> Table {
    let rows: Vec<&Arm> = std::iter::once(&found.whole).chain(&found.arms).collect();
    let text = |of: &dyn Fn(&Arm) -> String| Column::Text(rows.iter().map(|arm| of(arm)).collect());
    let whole = |of: &dyn Fn(&Arm) -> i64| Column::I64(rows.iter().map(|arm| of(arm)).collect());
    let number = |of: &dyn Fn(&Arm) -> f64| Column::F64(rows.iter().map(|arm| of(arm)).collect());
    let units: BTreeMap<&str, usize> = found
        .sites
        .iter()
        .map(|site| (site.name.as_str(), site.units))
        .collect();
    let all = found.whole.macs.map_or(f64::NAN, |macs| macs as f64);
    let macs = |arm: &Arm| arm.macs.map_or(f64::NAN, |macs| macs as f64);
    let beside = |arm: &Arm, of: fn(super::Control) -> f64| match arm.chosen {
        Chosen::By(..) => found.beside(arm).map_or(f64::NAN, of),
        _ => f64::NAN,
    };
    let epoch = found.epoch.map_or(-1, i64::from);
    let step = found.step.and_then(|step| i64::try_from(step).ok());
    let columns = [
        ("site", text(&|arm| arm.site.clone())),
        (
            "units",
            whole(&|arm| {
                units
                    .get(arm.site.as_str())
                    .map_or(0, |units| *units as i64)
            }),
        ),
        ("fraction", number(&|arm| arm.fraction)),
        ("score", text(&|arm| arm.chosen.score().to_owned())),
        ("direction", text(&|arm| arm.chosen.direction().to_owned())),
        ("draw", whole(&|arm| i64::from(arm.chosen.draw()))),
        ("gone", whole(&|arm| arm.gone as i64)),
        ("knn", number(&|arm| arm.figures.knn)),
        ("knn_lost", number(&|arm| arm.figures.knn_lost)),
        ("knn_lost_se", number(&|arm| arm.figures.knn_lost_se)),
        (
            "random_knn_lost",
            number(&|arm| beside(arm, |c| c.knn_lost)),
        ),
        (
            "random_knn_lost_sd",
            number(&|arm| beside(arm, |c| c.deviation)),
        ),
        ("linear_probe", number(&|arm| arm.figures.linear_probe)),
        (
            "linear_probe_lost",
            number(&|arm| arm.figures.linear_probe_lost),
        ),
        (
            "cosine_distance",
            number(&|arm| arm.figures.cosine_distance),
        ),
        ("relative_l2", number(&|arm| arm.figures.relative_l2)),
        ("macs", number(&macs)),
        ("macs_share", number(&|arm| macs(arm) / all)),
        (
            "layermem",
            number(&|arm| arm.layermem.map_or(f64::NAN, |mem| mem.mean)),
        ),
        (
            "layermem_se",
            number(&|arm| arm.layermem.map_or(f64::NAN, |mem| mem.standard_error)),
        ),
        (
            "milliseconds",
            number(&|arm| arm.milliseconds.unwrap_or(f64::NAN)),
        ),
        ("epoch", whole(&|_| epoch)),
        ("step", whole(&|_| step.unwrap_or(-1))),
    ];
    Table::of(columns)
}

/// What kNN lost over the percent of units that are gone, a curve a site and score.
fn events(found: &Sensitivity, folder: &Path) -> Result<(), RunError> {
    let mut board = TensorBoard::create(folder, None)?;
    let path = board.path().to_owned();
    let mut put = |tag: String, fraction: f64, value: f64| {
        board.write(&Record {
            tag,
            epoch: found.epoch.unwrap_or(0),
            step: (100.0 * fraction).round() as u64,
            author: "sensitivity".to_owned(),
            value: Measurement::Scalar(value),
        })
    };
    let failed = |source| TrackError::Io {
        action: "write",
        path: path.clone(),
        source,
    };
    for site in &found.sites {
        for &fraction in &found.fractions {
            if let Some(control) = found.random(&site.name, fraction) {
                let tag = format!("knn_lost/random/{}", site.name);
                put(tag, fraction, control.knn_lost).map_err(failed)?;
            }
            for &way in &found.ways {
                let Some(arm) = found.arm(&site.name, fraction, way) else {
                    continue;
                };
                let of = |what: &str| format!("{what}/{}/{}", Sensitivity::way(way), site.name);
                let figures = &arm.figures;
                put(of("knn_lost"), fraction, figures.knn_lost).map_err(failed)?;
                let probe = figures.linear_probe_lost;
                put(of("linear_probe_lost"), fraction, probe).map_err(failed)?;
            }
        }
    }
    Ok(board.flush().map_err(failed)?)
}
