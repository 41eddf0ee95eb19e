#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

//! A small schema with everything that real ones have, and the loader's messages for it.

mod files;
mod laws;
mod layers;
mod mistakes;
mod shapes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    name: String,
    #[serde(default = "seven")]
    seed: u64,
    #[serde(default)]
    optimizer: Optimizer,
    #[serde(default)]
    objective: Objective,
    #[serde(default)]
    plugins: Vec<Plugin>,
    #[serde(default)]
    loose: Loose,
    #[serde(default)]
    precision: Precision,
    #[serde(default)]
    limits: BTreeMap<String, u32>,
    crop: Option<[f64; 2]>,
}

fn seven() -> u64 {
    7
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Optimizer {
    rate: f64,
    warmup: u32,
    nesterov: bool,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            rate: 0.1,
            warmup: 0,
            nesterov: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Objective {
    Simclr {
        #[serde(default = "half")]
        temperature: f64,
    },
    Byol {
        momentum: f64,
        #[serde(default)]
        head: Head,
    },
}

fn half() -> f64 {
    0.5
}

impl Default for Objective {
    fn default() -> Self {
        Self::Simclr {
            temperature: half(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Head {
    width: u32,
    depth: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plugin {
    kind: String,
    id: Option<String>,
    #[serde(default)]
    every: Cadence,
    #[serde(flatten)]
    keys: toml::Table,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Cadence(u32);

impl Default for Cadence {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<String> for Cadence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let steps = text
            .strip_suffix(" steps")
            .and_then(|number| number.parse().ok());
        steps
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no cadence; write \"10 steps\""))
    }
}

impl From<Cadence> for String {
    fn from(cadence: Cadence) -> Self {
        format!("{} steps", cadence.0)
    }
}

/// A type that would let unknown keys pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Loose {
    folder: String,
    tagged: Option<LooseTagged>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum LooseTagged {
    Local { path: String },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Precision {
    #[default]
    Full,
    Half,
}

impl Validate for Experiment {
    fn validate(&self, report: &mut Report<'_>) {
        report.part("optimizer", &self.optimizer);
        for (i, plugin) in self.plugins.iter().enumerate() {
            report.check(plugin.every.0 > 0, &format!("plugins[{i}].every"), || {
                "must be 1 or more".to_owned()
            });
        }
    }
}

impl Validate for Optimizer {
    fn validate(&self, report: &mut Report<'_>) {
        report.check(self.rate > 0.0, "rate", || {
            format!("must be above 0; got {}", self.rate)
        });
        report.check(self.warmup < 100, "warmup", || {
            format!("must be below 100; got {}", self.warmup)
        });
    }
}

fn loaded(text: &str, sets: &[&str]) -> Loaded<Experiment> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    load_text("a.toml", text, &sets).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The messages for a text and flags, one a line.
fn messages(text: &str, sets: &[&str]) -> Vec<String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    match load_text::<Experiment>("a.toml", text, &sets) {
        Ok(loaded) => panic!("loaded:\n{}", loaded.resolved),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}
