//! A sweep as a journal of Optuna, for `optuna-dashboard` and for studies that go on from it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::config::Direction;
use crate::results::{Results, Row};
use crate::standing::State;

// Operations of the journal.
const CREATE_STUDY: u32 = 0;
const CREATE_TRIAL: u32 = 4;
const SET_PARAM: u32 = 5;
const SET_STATE: u32 = 6;
const SET_INTERMEDIATE: u32 = 7;
const SET_USER_ATTR: u32 = 8;

/// The sweep's trials as lines of Optuna's journal storage (`JournalFileBackend`, Optuna 4 and 5).
///
/// Every parameter is a categorical one over the values that the sweep tried, but for numbers, which
/// are floats between the lowest and the highest of them. Arm and seed are parameters, too. Each stage
/// is a study of its own.
pub fn journal(sweep: &Results) -> String {
    let mut lines = Vec::new();
    let mut push = |op: u32, mut entry: Value| {
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("op_code".to_owned(), op.into());
            entry.insert("worker_id".to_owned(), "afterimage".into());
        }
        lines.push(format!("{entry}\n"));
    };
    let mut trials = 0..;
    for (study, results) in sweep.by_stage().iter().enumerate() {
        let name = match results.rows.first().and_then(|row| row.stage.as_ref()) {
            Some(stage) => format!("{}.{stage}", sweep.name),
            None => results.name.clone(),
        };
        let direction = |of: Direction| match of {
            Direction::Minimize => 1,
            Direction::Maximize => 2,
        };
        let directions: Vec<u32> = match results.aims.as_slice() {
            [] => vec![direction(results.metric.direction)],
            aims => aims.iter().map(|aim| direction(aim.direction)).collect(),
        };
        push(
            CREATE_STUDY,
            json!({ "study_name": name, "directions": directions }),
        );
        let distributions = distributions(results);
        let begun = results.rows.iter().filter(|row| row.standing.attempts > 0);
        for (row, id) in begun.zip(&mut trials) {
            study_trial(&mut push, study, id, row, &distributions);
        }
    }
    lines.concat()
}

/// The lines of one trial.
fn study_trial(
    push: &mut dyn FnMut(u32, Value),
    study: usize,
    id: usize,
    row: &Row,
    distributions: &BTreeMap<String, Distribution>,
) {
    let standing = &row.standing;
    push(
        CREATE_TRIAL,
        json!({ "study_id": study, "datetime_start": timestamp(standing.started) }),
    );
    for (name, value) in parameters(row) {
        if let Some((internal, distribution)) =
            distributions.get(&name).and_then(|of| of.place(&value))
        {
            push(
                SET_PARAM,
                json!({
                    "trial_id": id,
                    "param_name": name,
                    "param_value_internal": internal,
                    "distribution": distribution,
                }),
            );
        }
    }
    push(
        SET_USER_ATTR,
        json!({ "trial_id": id, "user_attr": { "trial": row.trial } }),
    );
    // Optuna has no intermediate values where there are several aims.
    let curve = row.curve.iter().filter(|_| row.aims.is_empty());
    for (epoch, value) in curve.filter(|(_, value)| value.is_finite()) {
        push(
            SET_INTERMEDIATE,
            json!({
                "trial_id": id, "step": epoch, "intermediate_value": value,
            }),
        );
    }
    let values: Option<Vec<f64>> = match row.aims.as_slice() {
        [] => standing.value.map(|value| vec![value]),
        aims => aims
            .iter()
            .map(|aim| standing.aims.get(&aim.name).copied())
            .collect(),
    };
    let state = match standing.state {
        State::Done if values.is_some() => 1,
        State::Stopped => 2,
        State::Done | State::Failed | State::Skipped => 3,
        State::Pending | State::Running => return,
    };
    let values = values.filter(|_| state != 3);
    push(
        SET_STATE,
        json!({
            "trial_id": id,
            "state": state,
            "values": values,
            "datetime_complete": timestamp(standing.ended),
        }),
    );
}

fn parameters(row: &Row) -> BTreeMap<String, toml::Value> {
    let mut all = row.values.clone();
    all.extend(row.arm.clone().map(|arm| ("arm".to_owned(), arm.into())));
    let seed = row.seed.and_then(|seed| i64::try_from(seed).ok());
    all.extend(seed.map(|seed| ("seed".to_owned(), toml::Value::Integer(seed))));
    all
}

/// Where the values of a parameter come from.
enum Distribution {
    Numbers { low: f64, high: f64 },
    Choices(Vec<toml::Value>),
}

fn number(value: &toml::Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|n| n as f64))
}

fn distributions(results: &Results) -> BTreeMap<String, Distribution> {
    let mut seen: BTreeMap<String, Vec<toml::Value>> = BTreeMap::new();
    for row in &results.rows {
        for (name, value) in parameters(row) {
            let values = seen.entry(name).or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    seen.into_iter()
        .map(|(name, values)| {
            let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
            let of = match numbers {
                Some(numbers) => Distribution::Numbers {
                    low: numbers.iter().copied().fold(f64::INFINITY, f64::min),
                    high: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                },
                None => Distribution::Choices(values),
            };
            (name, of)
        })
        .collect()
}

impl Distribution {
    /// What Optuna stores for `value`, and this distribution in its notation.
    fn place(&self, value: &toml::Value) -> Option<(f64, String)> {
        match self {
            Self::Numbers { low, high } => {
                let attributes = json!({ "step": null, "low": low, "high": high, "log": false });
                let text = json!({ "name": "FloatDistribution", "attributes": attributes });
                Some((number(value)?, text.to_string()))
            }
            Self::Choices(values) => {
                let index = values.iter().position(|other| other == value)?;
                let choices: Vec<Value> = values
                    .iter()
                    .map(|value| match value {
                        toml::Value::String(text) => text.as_str().into(),
                        toml::Value::Boolean(flag) => (*flag).into(),
                        other => other.to_string().into(),
                    })
                    .collect();
                let attributes = json!({ "choices": choices });
                let text = json!({ "name": "CategoricalDistribution", "attributes": attributes });
                Some((index as f64, text.to_string()))
            }
        }
    }
}

/// Seconds since 1970 as `2026-11-25T03:04:05.123456`, UTC (days to date: Hinnant's algorithm).
fn timestamp(time: Option<f64>) -> Option<String> {
    let time = time?;
    let (days, second) = ((time / 86_400.0).floor() as i64, time.rem_euclid(86_400.0));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let whole = second as u32;
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}",
        whole / 3600,
        whole / 60 % 60,
        whole % 60,
        (second.fract() * 1e6) as u32
    ))
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_are_utc() {
        // `date -u -d @N` of coreutils.
        for (time, text) in [
            (0.0, "1970-01-01T00:00:00.000000"),
            (951_782_400.5, "2000-02-29T00:00:00.500000"),
            (1_795_575_845.0, "2026-11-25T03:04:05.000000"),
            (1_709_251_199.0, "2024-02-29T23:59:59.000000"),
        ] {
            assert_eq!(timestamp(Some(time)).as_deref(), Some(text));
        }
    }
}
