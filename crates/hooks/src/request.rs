//! Big effects, asked for by plugins and applied by the engine at one point.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sample::Plan;

/// An effect on the run that only the engine applies.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Train the coming epoch on these samples, in this order, with these weights.
    SetPlan(Plan),
    /// Hold these units of a site at exactly zero from now on.
    Mask {
        /// Site name.
        site: String,
        /// Unit numbers.
        units: Vec<usize>,
    },
    /// Replace the model by a smaller one without its masked units.
    Compact,
    /// Stop training the parameters whose path matches.
    Freeze {
        /// Glob over parameter paths.
        pattern: String,
    },
    /// Evaluate after this step.
    Evaluate,
    /// End the run after this step.
    Stop {
        /// Why, for the log and the user.
        reason: String,
    },
}

/// A [`Request`] without its content, as declared in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // named after the variants of `Request`, documented there
pub enum RequestKind {
    SetPlan,
    Mask,
    Compact,
    Freeze,
    Evaluate,
    Stop,
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RequestKind::SetPlan => "set_plan",
            RequestKind::Mask => "mask",
            RequestKind::Compact => "compact",
            RequestKind::Freeze => "freeze",
            RequestKind::Evaluate => "evaluate",
            RequestKind::Stop => "stop",
        })
    }
}

impl Request {
    /// The kind of this request.
    pub fn kind(&self) -> RequestKind {
        match self {
            Request::SetPlan(_) => RequestKind::SetPlan,
            Request::Mask { .. } => RequestKind::Mask,
            Request::Compact => RequestKind::Compact,
            Request::Freeze { .. } => RequestKind::Freeze,
            Request::Evaluate => RequestKind::Evaluate,
            Request::Stop { .. } => RequestKind::Stop,
        }
    }

    /// The request in a few words, for `decisions.jsonl`.
    pub fn describe(&self) -> String {
        match self {
            Request::SetPlan(plan) => format!("train on {} samples", plan.ids().len()),
            Request::Mask { site, units } => {
                format!("mask {} units of {site}: {units:?}", units.len())
            }
            Request::Compact => "compact the model".to_owned(),
            Request::Freeze { pattern } => format!("freeze {pattern}"),
            Request::Evaluate => "evaluate".to_owned(),
            Request::Stop { reason } => format!("stop: {reason}"),
        }
    }
}

/// A request and who made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested {
    /// Id of the plugin.
    pub plugin: String,
    /// What it asks for.
    pub request: Request,
}

/// One line of `decisions.jsonl`: what was asked, by whom, when, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Epoch number.
    pub epoch: u32,
    /// Step number.
    pub step: u64,
    /// Id of the plugin, or `loop`.
    pub plugin: String,
    /// Kind of request, or `disable_plugin`.
    pub kind: String,
    /// The request in a few words.
    pub what: String,
    /// `applied`, or `refused: …` with the reason.
    pub outcome: String,
}
