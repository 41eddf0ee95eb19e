//! The settings of a probe.

use afterimage_data::{DataSource, Limits, ViewConfig};
use afterimage_hooks::Every;
use afterimage_kernels::Convolution;
use afterimage_memory::{AlignmentGapConfig, LayerMemConfig, UnitMemConfig};
use serde::{Deserialize, Serialize};

use super::ProbeOptions;
use super::deja_vu::DejaVuConfig;
use super::subject::Subject;
use crate::config::{Layer, Loaded, Report, Setting, Validate, load, read_layers};
use crate::doses::DosesConfig;
use crate::error::RunError;
use crate::experiment::{Experiment, default_device};
use crate::label_noise::LabelNoiseConfig;
use crate::validate::{tell_data, tell_device, tell_views};

/// What an encoder is probed with. A run's checkpoint brings all of it from the run's config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeConfig {
    /// Seed of the points, of their views, and of the initial parameters of the encoder that was not
    /// trained; default 0, or the run's.
    #[serde(default)]
    pub seed: u64,
    /// `cpu`, `cuda:N` or `wgpu`; default `cpu`.
    #[serde(default = "default_device")]
    pub device: String,
    /// How 3×3 convolutions are computed on the CPU: `direct` (default for PyTorch weights) or
    /// `winograd`, which is faster and rounds more.
    #[serde(default = "direct")]
    pub convolution: Convolution,
    /// The images: those that the encoder was trained on, and held-out ones.
    pub data: DataSource,
    /// How many of them are used; default all.
    #[serde(default)]
    pub limits: Limits,
    /// Labels that were made wrong on purpose in the run; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<LabelNoiseConfig>,
    /// Training images that the run planted; none unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doses: Option<DosesConfig>,
    /// How views are augmented and normalised.
    #[serde(default)]
    pub views: ViewConfig,
    /// UnitMem. In this table and the next two, `every` has no meaning, because there is one probe.
    #[serde(default)]
    pub unitmem: UnitMemConfig,
    /// The alignment gap, which needs no reference encoder; measured if this table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<AlignmentGapConfig>,
    /// The déjà-vu test, which needs no reference encoder; made if this table is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deja_vu: Option<DejaVuConfig>,
    /// LayerMem; measured if there is a reference encoder.
    #[serde(default)]
    pub layermem: LayerMemConfig,
}

fn direct() -> Convolution {
    Convolution::Direct
}

impl Validate for ProbeConfig {
    fn validate(&self, report: &mut Report<'_>) {
        tell_device(report, &self.device);
        tell_data(report, &self.data, self.limits);
        tell_views(report, &self.views);
        if let Some(noise) = &self.label_noise {
            noise.validate(report);
        }
        if let Some(doses) = &self.doses {
            doses.validate(report, true);
        }
        let mut table = |name: &str, problems: Vec<(&str, String)>, every: Every| {
            for (key, problem) in problems {
                report.error(&format!("{name}.{key}"), problem);
            }
            report.check(every == ONCE, &format!("{name}.every"), || {
                "an encoder is probed once; remove this key".to_owned()
            });
        };
        let unitmem = &self.unitmem;
        table("unitmem", unitmem.problems(), unitmem.every);
        if let Some(alignment) = &self.alignment {
            table("alignment", alignment.problems(), alignment.every);
        }
        table("layermem", self.layermem.problems(), self.layermem.every);
        if let Some(deja_vu) = &self.deja_vu {
            table("deja_vu", deja_vu.problems(), ONCE);
        }
    }
}

/// The cadence that every plugin has unless told, and that a single probe fits.
const ONCE: Every = Every::epochs::<1>();

/// The settings that the run `experiment` was, or would have been, probed with.
pub(super) fn of_run(experiment: &Experiment) -> Result<String, String> {
    let unitmem: Option<UnitMemConfig> = settings(experiment, "unitmem")?;
    let alignment: Option<AlignmentGapConfig> = settings(experiment, "alignment-gap")?;
    let layermem: Option<LayerMemConfig> = settings(experiment, "layermem")?;
    let config = ProbeConfig {
        seed: experiment.seed,
        device: experiment.device.clone(),
        convolution: experiment.encoder.convolution(),
        data: experiment.data.clone(),
        limits: experiment.limits,
        label_noise: experiment.label_noise,
        doses: experiment.doses.clone(),
        views: experiment.views.clone(),
        unitmem: UnitMemConfig {
            every: ONCE,
            ..unitmem.unwrap_or_default()
        },
        alignment: alignment.map(|alignment| AlignmentGapConfig {
            every: ONCE,
            ..alignment
        }),
        deja_vu: None,
        layermem: LayerMemConfig {
            every: ONCE,
            ..layermem.unwrap_or_default()
        },
    };
    toml::to_string(&config).map_err(|error| error.to_string())
}

/// The settings of the first plugin of `kind` in a run.
fn settings<C: for<'de> Deserialize<'de>>(
    experiment: &Experiment,
    kind: &str,
) -> Result<Option<C>, String> {
    let plugin = experiment.plugins.iter().find(|entry| entry.kind == kind);
    let decoded = plugin.map(|entry| C::deserialize(toml::Value::Table(entry.settings.clone())));
    decoded.transpose().map_err(|error| error.to_string())
}

/// The settings of a probe of `subject`: what the checkpoint says, the config over it, the flags over
/// both.
pub(crate) fn load_for(
    subject: &Subject,
    options: &ProbeOptions,
) -> Result<Loaded<ProbeConfig>, RunError> {
    let mut layers = vec![Layer::parse(&subject.name, &subject.defaults)?];
    if let Some(path) = &options.config {
        layers.extend(read_layers(path)?);
    } else if options.data.is_none() && !subject.brings_images() {
        return Err(RunError::NoImages);
    }
    let mut sets = Vec::new();
    if let Some(data) = &options.data {
        let side = options.size.unwrap_or(subject.side());
        sets.extend(data_settings(data, side)?);
    }
    if options.alignment {
        // A key that is what it is anyway: it makes the table be there and keeps what is in it.
        sets.push(format!("alignment.every={ONCE}"));
    }
    if options.deja_vu {
        sets.push(format!("alignment.every={ONCE}"));
        sets.push(format!("deja_vu.k={}", DejaVuConfig::default().k));
    }
    sets.extend(options.size.map(|side| format!("views.size={side}")));
    sets.extend(options.sets.iter().cloned());
    let settings: Result<Vec<Setting>, _> = sets.iter().map(|text| Setting::parse(text)).collect();
    let settings = settings.map_err(crate::config::ConfigErrors::from)?;
    Ok(load(layers, &settings)?)
}

/// `--data KIND:PATH` as keys of the config; pictures of a folder are scaled to `side`.
fn data_settings(flag: &str, side: usize) -> Result<Vec<String>, RunError> {
    let (kind, path) = match flag.split_once(':') {
        Some((kind, path)) => (kind, Some(path)),
        None => (flag, None),
    };
    // Quoted, so that a path keeps whatever characters it has.
    let set = |key: &str, path: &str| format!("data.{key}={}", toml::Value::from(path));
    let mut sets = vec![format!("data.kind={kind}")];
    match (kind, path) {
        ("embedded", None) => {}
        ("idx" | "cifar10" | "cifar100", Some(path)) => sets.push(set("dir", path)),
        ("folder" | "tar" | "parquet", Some(path)) => {
            sets.push(set("train", path));
            sets.push(format!("data.size={side}"));
        }
        _ => {
            return Err(RunError::DataFlag {
                given: flag.to_owned(),
            });
        }
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_data_flag_becomes_keys() {
        assert_eq!(
            data_settings("embedded", 32).unwrap(),
            ["data.kind=embedded"]
        );
        assert_eq!(
            data_settings("cifar10:data/c 10", 32).unwrap(),
            ["data.kind=cifar10", "data.dir=\"data/c 10\""]
        );
        assert_eq!(
            data_settings("folder:/p", 224).unwrap(),
            ["data.kind=folder", "data.train=\"/p\"", "data.size=224"]
        );
        for wrong in ["cifar10", "embedded:x", "mnist:x", ""] {
            let message = data_settings(wrong, 32).unwrap_err().to_string();
            assert!(message.contains("cifar10:DIR"), "{message}");
        }
    }

    #[test]
    fn the_cadence_of_a_run_has_no_place_in_a_probe() {
        let text = "[data]\nkind = \"embedded\"\n[unitmem]\nevery = \"2 epochs\"\n";
        let error = crate::config::load_text::<ProbeConfig>("p.toml", text, &[]).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("p.toml:4: unitmem.every"), "{message}");
    }
}
