//! What trials are judged by: one metric, or several aims at once.

use std::collections::BTreeSet;

use afterimage_config::Report;
use serde::{Deserialize, Serialize};

use crate::config::{Direction, Metric, Search, SearchKind, SweepConfig};
use crate::stage::{Part, Stage};

/// One of several things that trials are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Aim {
    /// A scalar of the run, such as `prune/macs`.
    pub name: String,
    /// Whether more of it is better; default `maximize`.
    #[serde(default)]
    pub direction: Direction,
}

/// What the trials of a stage, or of a sweep without stages, are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The metric; the first aim where there are several, with the others to draw it against.
    pub metric: Metric,
    /// The aims; none where there is one metric.
    pub aims: Vec<Aim>,
}

impl Judged {
    fn by(metric: Option<&Metric>, aims: &[Aim]) -> Option<Self> {
        let metric = match (metric, aims) {
            (Some(metric), _) => metric.clone(),
            (None, [first, others @ ..]) => Metric {
                name: first.name.clone(),
                direction: first.direction,
                against: others.iter().map(|aim| aim.name.clone()).collect(),
            },
            (None, []) => return None,
        };
        Some(Self {
            metric,
            aims: aims.to_vec(),
        })
    }

    /// The aims, or the metric as the one aim.
    pub fn all(&self) -> Vec<Aim> {
        match self.aims.as_slice() {
            [] => vec![Aim {
                name: self.metric.name.clone(),
                direction: self.metric.direction,
            }],
            aims => aims.to_vec(),
        }
    }
}

impl SweepConfig {
    /// What trials are judged by, unless their stage says another.
    pub fn judged(&self) -> Judged {
        // Without either the file is refused.
        Judged::by(self.metric.as_ref(), &self.aims).unwrap_or_else(|| Judged {
            metric: Metric {
                name: String::new(),
                direction: Direction::Maximize,
                against: Vec::new(),
            },
            aims: Vec::new(),
        })
    }

    /// What the trials of a stage are judged by.
    pub(crate) fn judged_in(&self, stage: Option<&Stage>) -> Judged {
        stage
            .and_then(|stage| Judged::by(stage.metric.as_ref(), &stage.aims))
            .unwrap_or_else(|| self.judged())
    }

    /// Checks what the sweep is judged by.
    pub(crate) fn validate_judged(&self, report: &mut Report<'_>) {
        let none = self.metric.is_none() && self.aims.is_empty();
        report.check(!none || !report.knows("aims"), "metric", || {
            "missing: say what trials are judged by, as in metric = { name = \"eval/knn\" }, or several `aims`"
                .to_owned()
        });
        judged(self.metric.as_ref(), &self.aims, &str::to_owned, report);
    }

    /// Checks what a stage is judged by, if it says so itself, and its search.
    pub(crate) fn validate_search(&self, part: &Part<'_>, report: &mut Report<'_>) {
        let stage = part.stage.map(|(_, stage)| stage);
        if let Some(stage) = stage {
            judged(
                stage.metric.as_ref(),
                &stage.aims,
                &|key| part.at(key),
                report,
            );
        }
        // What is not said is told once, where it is missing.
        let aims = match self.judged_in(stage) {
            Judged { metric, aims } if aims.is_empty() && metric.name.is_empty() => 0,
            judged => judged.all().len(),
        };
        report.check(aims < 2 || self.stopping.is_none(), "stopping", || {
            "trials are stopped early by one metric, and there are several `aims`; leave one of the two out".to_owned()
        });
        if let Some(search) = part.search {
            self.validate_learning(part, search, aims, report);
        }
    }

    fn validate_learning(
        &self,
        part: &Part<'_>,
        search: &Search,
        aims: usize,
        report: &mut Report<'_>,
    ) {
        let kind = part.at("search.kind");
        let at = part.at("search.generation");
        report.check(search.generation != Some(0), &at, || {
            "must be at least 1".to_owned()
        });
        let generations = matches!(search.kind, SearchKind::Tpe | SearchKind::Nsga2);
        report.check(generations || search.generation.is_none(), &at, || {
            "belongs to the kinds \"tpe\" and \"nsga2\", which learn from results".to_owned()
        });
        if !search.kind.learns() {
            return;
        }
        let word = search.kind.word();
        report.check(search.kind != SearchKind::Tpe || aims < 2, &kind, || {
            "\"tpe\" searches for one aim; take \"nsga2\" for several".to_owned()
        });
        report.check(search.kind != SearchKind::Nsga2 || aims != 1, &kind, || {
            "\"nsga2\" searches for several `aims` at once; give them in place of `metric`, or take \"tpe\"".to_owned()
        });
        report.check(part.grid().is_empty(), &part.at("grid"), || {
            format!("a search by \"{word}\" has no grid beside it; move its keys into search.space, as {{ values = […] }}")
        });
        for (index, arm) in part.arms.iter().enumerate() {
            report.check(arm.alone, &part.at(&format!("arms[{index}]")), || {
                format!(
                    "beside a search by \"{word}\" an arm must be run without it (alone = true), or be a choice in \
                     search.space"
                )
            });
        }
        report.check(self.stopping.is_none(), "stopping", || {
            format!(
                "which trials are stopped early hangs on which comes first, and a search by \"{word}\" learns from \
                 results; leave one of the two out"
            )
        });
        let own = part.stage.map(|(_, stage)| &stage.name);
        for (index, stage) in self.stages.iter().enumerate() {
            for (place, need) in stage.needs.iter().enumerate() {
                report.check(Some(need) != own, &format!("stages[{index}].needs[{place}]"), || {
                    format!(
                        "the trials of {need:?} are not known before they run, since its search learns from results; \
                         no stage can need it"
                    )
                });
            }
        }
    }
}

/// Checks a metric or aims, whose keys `at` places.
fn judged(
    metric: Option<&Metric>,
    aims: &[Aim],
    at: &dyn Fn(&str) -> String,
    report: &mut Report<'_>,
) {
    let named = |name: &str, at: String, report: &mut Report<'_>| {
        report.check(!name.is_empty(), &at, || {
            "name a scalar of the run, such as \"eval/knn\"".to_owned()
        });
    };
    if let Some(metric) = metric {
        named(&metric.name, at("metric.name"), report);
        report.check(aims.is_empty(), &at("aims"), || {
            "trials are judged by `metric` or by `aims`, not by both; move the metric into the aims".to_owned()
        });
    }
    let mut seen = BTreeSet::new();
    for (index, aim) in aims.iter().enumerate() {
        let at = at(&format!("aims[{index}].name"));
        named(&aim.name, at.clone(), report);
        report.check(seen.insert(&aim.name), &at, || {
            format!("{:?} is there twice", aim.name)
        });
    }
}
