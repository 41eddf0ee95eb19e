//! A search that another program drives: what it asks and what it is told, each a line of JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::Points;
use super::point::Settings;
use crate::aims::Judged;
use crate::config::{Search, SearchKind, SweepConfig};
use crate::means;
use crate::plan::{Plan, Trial};
use crate::results::{Results, Row};
use crate::standing::State;

/// The search of a sweep that another program drives.
pub struct Asking<'a> {
    search: &'a Search,
    space: Points,
    stage: Option<String>,
    judged: Judged,
}

/// Points that are asked for in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What the other program calls it; given back with the answer.
    id: Value,
    points: Vec<Settings>,
    /// Whether the points stood in a list.
    listed: bool,
}

/// A line as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Value,
    ask: OneOrSeveral,
}

/// A point, or a list of points. A key that stands twice in a point is a mistake: one of both would be lost.
enum OneOrSeveral {
    One(Settings),
    Several(Vec<Settings>),
}

impl<'de> Deserialize<'de> for OneOrSeveral {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = OneOrSeveral;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a point, as {\"KEY\": VALUE}, or a list of points")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                point(map).map(OneOrSeveral::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut points = Vec::new();
                while let Some(next) = list.next_element()? {
                    match next {
                        OneOrSeveral::One(point) => points.push(point),
                        OneOrSeveral::Several(_) => {
                            return Err(de::Error::custom("a list of points is in a list"));
                        }
                    }
                }
                Ok(OneOrSeveral::Several(points))
            }
        }
        from.deserialize_any(Read)
    }
}

/// The values of a point by key.
fn point<'de, A: MapAccess<'de>>(mut map: A) -> Result<Settings, A::Error> {
    let mut point = Settings::new();
    while let Some((key, value)) = map.next_entry::<String, toml::Value>()? {
        if point.insert(key.clone(), value).is_some() {
            return Err(de::Error::custom(format!(
                "the key `{key}` stands twice in a point; name it once"
            )));
        }
    }
    Ok(point)
}

impl<'a> Asking<'a> {
    /// The first search of `sweep` with `kind = "ask"`, if it has any.
    pub fn of(sweep: &'a SweepConfig) -> Option<Self> {
        sweep.parts().into_iter().find_map(|part| {
            let search = part
                .search
                .filter(|search| search.kind == SearchKind::Ask)?;
            Some(Self {
                search,
                space: Points::of(search, &part.at("search.space")),
                stage: part.name(),
                judged: sweep.judged_in(part.stage.map(|(_, stage)| stage)),
            })
        })
    }

    /// The stage of the search.
    pub fn stage(&self) -> &Option<String> {
        &self.stage
    }

    /// The first line, which says what there is to ask for and what is told.
    pub fn hello(&self) -> Value {
        json!({
            "aims": self.judged.all(),
            "space": self.space.ranges(),
            "samples": self.search.samples,
        })
    }

    /// What a line asks.
    ///
    /// # Errors
    /// A line that is no question, and a point outside of the space; says what is right.
    pub fn question(&self, line: &str) -> Result<Question, String> {
        let Line { id, ask } = serde_json::from_str(line).map_err(|error| {
            format!("no question, which is as {{\"ask\": {{\"KEY\": VALUE}}}}: {error}")
        })?;
        let (points, listed) = match ask {
            OneOrSeveral::One(point) => (vec![point], false),
            OneOrSeveral::Several(points) => (points, true),
        };
        let points: Result<Vec<Settings>, String> = points
            .iter()
            .map(|point| self.space.checked(point))
            .collect();
        Ok(Question {
            id,
            points: points?,
            listed,
        })
    }

    /// The points of a question that were not asked for before.
    ///
    /// # Errors
    /// More points than the search may ask for.
    pub fn new_points(
        &self,
        question: &Question,
        plan: &Plan,
    ) -> Result<Vec<BTreeMap<String, toml::Value>>, String> {
        let mut new: Vec<Settings> = Vec::new();
        for point in &question.points {
            if self.place(point, plan).is_none() && !new.contains(point) {
                new.push(point.clone());
            }
        }
        let asked = plan.searches.iter().find(|own| own.stage == self.stage);
        let all = asked.map_or(0, |own| own.asked()) + new.len();
        if !new.is_empty() && all > self.search.samples as usize {
            return Err(format!(
                "{all} points, and search.samples allows {}",
                self.search.samples
            ));
        }
        Ok(new)
    }

    fn place(&self, point: &Settings, plan: &Plan) -> Option<(usize, usize)> {
        let own = plan.searches.iter().find(|own| own.stage == self.stage)?;
        own.generations
            .iter()
            .enumerate()
            .find_map(|(generation, points)| {
                let index = points.iter().position(|other| other == point)?;
                Some((generation, index))
            })
    }

    /// The answer to a question: for each point its trials and, if all of them are done, the means over seeds.
    pub fn told(&self, question: &Question, plan: &Plan, results: &Results) -> Value {
        let mut told: Vec<Value> = question
            .points
            .iter()
            .map(|point| self.told_of(point, plan, results))
            .collect();
        let told = match (question.listed, told.len()) {
            (false, 1) => told.remove(0),
            _ => told.into(),
        };
        json!({ "id": question.id, "told": told })
    }

    fn told_of(&self, point: &Settings, plan: &Plan, results: &Results) -> Value {
        let place = self.place(point, plan);
        let own = |trial: &&Trial| trial.stage == self.stage && trial.asked == place;
        let names: Vec<&str> = plan
            .trials
            .iter()
            .filter(own)
            .map(|trial| trial.name.as_str())
            .collect();
        let rows: Vec<&Row> = results
            .rows
            .iter()
            .filter(|row| names.contains(&row.trial.as_str()))
            .collect();
        let aims = self.judged.all();
        let values: Option<Vec<f64>> = aims.iter().map(|aim| mean(&rows, &aim.name)).collect();
        let done = !rows.is_empty() && rows.iter().all(|row| row.standing.state == State::Done);
        let values = values.filter(|_| done);
        let state = match &values {
            Some(_) => "done",
            None if rows.iter().any(|row| row.standing.state.is_open()) => "open",
            None => "failed",
        };
        let scalars = rows.first().into_iter().flat_map(|row| row.metrics.keys());
        let metrics: BTreeMap<&String, f64> = scalars
            .filter_map(|name| Some((name, mean(&rows, name)?)))
            .collect();
        let why = rows.iter().find_map(|row| row.standing.reason.as_deref());
        let refused = rows
            .is_empty()
            .then_some("its config is refused, or is that of another point");
        let unmeasured =
            done.then_some("the last value of an aim is no finite number in one of its trials");
        json!({
            "trials": names,
            "state": state,
            "values": values,
            "metrics": metrics,
            "reason": why.or(refused).or(unmeasured).filter(|_| state != "done"),
        })
    }
}

/// The mean of a scalar over trials that all have it.
fn mean(rows: &[&Row], name: &str) -> Option<f64> {
    let values: Option<Vec<f64>> = rows
        .iter()
        .map(|row| row.metrics.get(name).copied().flatten())
        .collect();
    means::mean(&values?).0
}
