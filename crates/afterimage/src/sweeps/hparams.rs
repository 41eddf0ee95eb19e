//! The trials of a sweep as sessions of TensorBoard's HParams tab.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use afterimage_hooks::{Measurement, Record, Sink as _};
use afterimage_sweep::{Results, Row, State};
use afterimage_track::{HParam, Session, SessionStatus, TensorBoard};

use crate::board::hparam;
use crate::error::RunError;

/// Writes a folder with one event file a trial that was begun: what it was given, the metric by
/// epoch, and the other scalars at its end. A folder that is there is replaced.
pub(super) fn write(results: &Results, folder: &Path) -> Result<(), RunError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(RunError::io(folder, "remove"))?;
    }
    let begun = || results.rows.iter().filter(|row| row.standing.attempts > 0);
    let mut tried: BTreeMap<String, Vec<HParam>> = BTreeMap::new();
    for row in begun() {
        for (name, value) in parameters(row) {
            let values = tried.entry(name).or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    let io = |source| RunError::Io {
        path: folder.to_owned(),
        verb: "write",
        source,
    };
    let metrics: Vec<String> = results.scalars().into_iter().cloned().collect();
    let mut board = TensorBoard::create(folder, None)?;
    board
        .hparams_experiment(&tried, &metrics)
        .and_then(|()| board.flush())
        .map_err(io)?;
    for row in begun() {
        let mut board = TensorBoard::create(&folder.join(&row.trial), None)?;
        session(&mut board, row, &metrics).map_err(io)?;
    }
    Ok(())
}

fn session(board: &mut TensorBoard, row: &Row, metrics: &[String]) -> std::io::Result<()> {
    let standing = &row.standing;
    let status = match standing.state {
        State::Pending | State::Running => SessionStatus::Running,
        State::Done => SessionStatus::Success,
        State::Failed | State::Stopped | State::Skipped => SessionStatus::Failure,
    };
    board.hparams_session(&Session {
        group: row.trial.clone(),
        hparams: parameters(row),
        started: standing.started.unwrap_or_default(),
        ended: standing.ended.filter(|_| status != SessionStatus::Running),
        status,
    })?;
    let mut scalar = |tag: &str, epoch: u32, value: f64| {
        board.write(&Record {
            tag: tag.to_owned(),
            epoch,
            step: u64::from(epoch),
            author: "sweep".to_owned(),
            value: Measurement::Scalar(value),
        })
    };
    for (&epoch, &value) in &row.curve {
        scalar(&row.metric.name, epoch, value)?;
    }
    let last = row.curve.keys().next_back().copied().unwrap_or(0);
    for tag in metrics.iter().filter(|tag| **tag != row.metric.name) {
        if let Some(Some(value)) = row.metrics.get(tag) {
            scalar(tag, last, *value)?;
        }
    }
    board.flush()
}

fn parameters(row: &Row) -> BTreeMap<String, HParam> {
    let mut all: BTreeMap<String, HParam> = row
        .values
        .iter()
        .map(|(name, value)| (name.clone(), hparam(value)))
        .collect();
    all.extend(
        row.stage
            .clone()
            .map(|stage| ("stage".to_owned(), HParam::Text(stage))),
    );
    all.extend(
        row.arm
            .clone()
            .map(|arm| ("arm".to_owned(), HParam::Text(arm))),
    );
    all.extend(
        row.seed
            .map(|seed| ("seed".to_owned(), HParam::Number(seed as f64))),
    );
    all
}
