//! Fine-tuning: which encoder a run starts from, and which of its layers it trains.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use afterimage_hooks::glob;
use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_model::Layer;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a run starts, in place of random initial parameters, and what of it is trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FineTuneConfig {
    /// A run directory, a checkpoint in one, a folder that `afterimage compact` wrote, or a file of
    /// PyTorch weights. Units that are taken out or pruned there stay so.
    pub from: PathBuf,
    /// The layers of the encoder that are trained: `"all"` (the default), `"none"`, `"first:N"`,
    /// `"last:N"`, `"random:N"` (by the seed), `"top-delta-layermem:N"` or
    /// `"bottom-delta-layermem:N"`, or a list of names such as `["encoder.res2a"]`, where `*` stands
    /// for any characters. All others are frozen: parameters, running statistics, and the state of
    /// the optimizer. Heads are always trained.
    #[serde(default)]
    pub layers: LayerChoice,
    /// The run whose LayerMem decides, for `top-` and `bottom-delta-layermem`; `from` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layermem: Option<PathBuf>,
}

/// Which layers of an encoder are trained.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub enum LayerChoice {
    /// Every layer.
    #[default]
    All,
    /// No layer: the encoder is frozen.
    None,
    /// The first ones in forward order.
    First(usize),
    /// The last ones in forward order.
    Last(usize),
    /// As many, by the seed.
    Random(usize),
    /// Those with the highest ΔLayerMem.
    TopDelta(usize),
    /// Those with the lowest ΔLayerMem.
    BottomDelta(usize),
    /// Those whose name, or the name of whose block, matches one of these globs.
    Named(Vec<String>),
}

/// The choice as it stands in a config.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Written {
    Word(String),
    Names(Vec<String>),
}

impl std::str::FromStr for LayerChoice {
    type Err = String;

    /// Reads a choice as on a command line: one of the words, or names with commas between.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(Written::Word(text.to_owned())).or_else(|error| {
            if text.contains('.') {
                let names = text.split(',').map(|name| name.trim().to_owned());
                Ok(Self::Named(names.collect()))
            } else {
                Err(error)
            }
        })
    }
}

impl TryFrom<Written> for LayerChoice {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let word = match written {
            Written::Names(names) if names.is_empty() => return Ok(Self::None),
            Written::Names(names) => return Ok(Self::Named(names)),
            Written::Word(word) => word,
        };
        let (kind, count) = match word.split_once(':') {
            Some((kind, count)) => (kind, count.parse::<usize>().ok().filter(|n| *n > 0)),
            None => (word.as_str(), None),
        };
        match (kind, count) {
            ("all", None) if kind == word => Ok(Self::All),
            ("none", None) if kind == word => Ok(Self::None),
            ("first", Some(count)) => Ok(Self::First(count)),
            ("last", Some(count)) => Ok(Self::Last(count)),
            ("random", Some(count)) => Ok(Self::Random(count)),
            ("top-delta-layermem", Some(count)) => Ok(Self::TopDelta(count)),
            ("bottom-delta-layermem", Some(count)) => Ok(Self::BottomDelta(count)),
            _ => Err(format!(
                "{word:?} is no choice of layers; give \"all\", \"none\", \"first:N\", \"last:N\", \
                 \"random:N\", \"top-delta-layermem:N\", \"bottom-delta-layermem:N\" with N of at \
                 least 1, or a list of names"
            )),
        }
    }
}

impl From<LayerChoice> for Written {
    fn from(choice: LayerChoice) -> Self {
        let word = |kind: &str, count: usize| Self::Word(format!("{kind}:{count}"));
        match choice {
            LayerChoice::All => Self::Word("all".to_owned()),
            LayerChoice::None => Self::Word("none".to_owned()),
            LayerChoice::First(count) => word("first", count),
            LayerChoice::Last(count) => word("last", count),
            LayerChoice::Random(count) => word("random", count),
            LayerChoice::TopDelta(count) => word("top-delta-layermem", count),
            LayerChoice::BottomDelta(count) => word("bottom-delta-layermem", count),
            LayerChoice::Named(names) => Self::Names(names),
        }
    }
}

/// Why the layers to train could not be chosen.
#[derive(Debug, Error)]
pub enum LayerError {
    /// More layers than there are.
    #[error("{wanted} layers are asked for, but {among} {of}; ask for at most {among}")]
    TooMany {
        /// Layers that were asked for.
        wanted: usize,
        /// Layers that can be chosen among.
        among: usize,
        /// What those are.
        of: &'static str,
    },
    /// A name that matches nothing.
    #[error("{name:?} matches no layer; there are: {layers}")]
    Unknown {
        /// The name.
        name: String,
        /// All layers.
        layers: String,
    },
    /// No LayerMem to decide by.
    #[error(
        "{path}: {reason}; ΔLayerMem comes from the metrics of a run with the plugin `layermem`: start \
         from such a run, or name its directory as `fine_tune.layermem` in a config"
    )]
    NoLayerMem {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// LayerMem of other sites than those of layers.
    #[error(
        "{path}: no layer of the encoder has a ΔLayerMem there; the plugin `layermem` measured sites such as \
         {measured}, and layers have theirs at sites such as {layer}, of the kinds `conv`, `attention` and \
         `fully_connected`: let the plugin measure these, by its keys `kinds`, `sites` and `skip`"
    )]
    OtherSites {
        /// Where it was looked for.
        path: PathBuf,
        /// A site that was measured.
        measured: String,
        /// The first layer.
        layer: String,
    },
}

impl FineTuneConfig {
    /// The layers among `layers` (in forward order) that are trained, in forward order.
    ///
    /// # Errors
    /// More layers than there are, an unknown name, a run without LayerMem.
    pub fn trained(&self, layers: &[Layer], seed: u64) -> Result<Vec<Layer>, LayerError> {
        let layermem = self.layermem.as_ref().unwrap_or(&self.from);
        self.layers.choose(layers, seed, layermem)
    }
}

impl LayerChoice {
    /// The chosen ones of `layers` (in forward order), in forward order. `layermem` is the run whose
    /// ΔLayerMem decides, where it does.
    ///
    /// # Errors
    /// More layers than there are, an unknown name, a run without LayerMem.
    pub fn choose(
        &self,
        layers: &[Layer],
        seed: u64,
        layermem: &Path,
    ) -> Result<Vec<Layer>, LayerError> {
        let enough = |count: usize, among: usize, of| {
            if count <= among {
                Ok(count)
            } else {
                Err(LayerError::TooMany {
                    wanted: count,
                    among,
                    of,
                })
            }
        };
        let all = layers.len();
        let mut chosen: Vec<usize> = match self {
            LayerChoice::All => (0..all).collect(),
            LayerChoice::None => Vec::new(),
            LayerChoice::First(count) => (0..enough(*count, all, HAS)?).collect(),
            LayerChoice::Last(count) => (all - enough(*count, all, HAS)?..all).collect(),
            LayerChoice::Random(count) => {
                let mut places: Vec<usize> = (0..all).collect();
                let key = RandomKey::new(seed, Stream::Layers);
                key.generator().shuffle(&mut places);
                places.truncate(enough(*count, all, HAS)?);
                places
            }
            LayerChoice::TopDelta(count) | LayerChoice::BottomDelta(count) => {
                let sign = match self {
                    LayerChoice::BottomDelta(_) => -1.0,
                    _ => 1.0,
                };
                let deltas = deltas(layermem)?;
                let mut ranked: Vec<(f64, usize)> = layers
                    .iter()
                    .enumerate()
                    .filter_map(|(at, layer)| Some((sign * deltas.get(&layer.site)?, at)))
                    .collect();
                ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                if let (true, Some(measured), Some(layer)) =
                    (ranked.is_empty(), deltas.keys().next_back(), layers.first())
                {
                    return Err(LayerError::OtherSites {
                        path: layermem.to_owned(),
                        measured: measured.clone(),
                        layer: layer.site.clone(),
                    });
                }
                enough(*count, ranked.len(), "of them have a ΔLayerMem")?;
                ranked.truncate(*count);
                ranked.into_iter().map(|(_, at)| at).collect()
            }
            LayerChoice::Named(names) => {
                let mut places = Vec::new();
                for name in names {
                    let before = places.len();
                    let named = |layer: &Layer| {
                        glob(name, &layer.site) || glob(&format!("{name}.*"), &layer.site)
                    };
                    places.extend((0..all).filter(|at| named(&layers[*at])));
                    if places.len() == before {
                        return Err(LayerError::Unknown {
                            name: name.clone(),
                            layers: sites(layers),
                        });
                    }
                }
                places
            }
        };
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen.into_iter().map(|at| layers[at].clone()).collect())
    }
}

const HAS: &str = "are there";

fn sites(layers: &[Layer]) -> String {
    let names: Vec<&str> = layers.iter().map(|layer| layer.site.as_str()).collect();
    names.join(", ")
}

/// ΔLayerMem by site, as the last probe of the run in `path` (or of the run that the checkpoint
/// `path` belongs to) found it.
fn deltas(path: &Path) -> Result<BTreeMap<String, f64>, LayerError> {
    // The run itself, or the one whose folder of checkpoints the path lies in.
    let checkpoints = |directory: &&Path| directory.ends_with("checkpoints");
    let run = path.ancestors().find(checkpoints).and_then(Path::parent);
    let metrics = Some(run.unwrap_or(path).join("metrics.jsonl")).filter(|file| file.exists());
    let missing = |reason: String| LayerError::NoLayerMem {
        path: path.to_owned(),
        reason,
    };
    let Some(metrics) = metrics else {
        return Err(missing("there is no metrics.jsonl".to_owned()));
    };
    let text = afterimage_files::read_text(&metrics, afterimage_files::LARGE)
        .map_err(|error| missing(error.to_string()))?;
    #[derive(Deserialize)]
    struct Line {
        tag: String,
        value: f64,
    }
    // Lines are in the order of time, so that the last one of a tag stays.
    let found: BTreeMap<String, f64> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok())
        .filter_map(|line| {
            let site = line.tag.strip_prefix("layermem/delta/")?;
            Some((site.to_owned(), line.value))
        })
        .collect();
    if found.is_empty() {
        return Err(missing("its metrics hold no ΔLayerMem".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn layers() -> Vec<Layer> {
        ["a", "b", "c", "d"]
            .map(|name| Layer {
                site: format!("encoder.{name}.conv"),
                parameters: vec![format!("encoder.{name}.conv.weight")],
            })
            .to_vec()
    }

    fn config(layers: &str) -> FineTuneConfig {
        toml::from_str(&format!("from = \"nowhere\"\nlayers = {layers}")).unwrap()
    }

    fn trained(config: &FineTuneConfig) -> String {
        let letter = |layer: &Layer| layer.site.split('.').nth(1).unwrap().to_owned();
        let chosen = config.trained(&layers(), 3).unwrap();
        chosen.iter().map(letter).collect()
    }

    #[test]
    fn choices_are_read_and_written_and_choose() {
        for (written, chosen) in [
            ("\"all\"", "abcd"),
            ("\"none\"", ""),
            ("[]", ""),
            ("\"first:1\"", "a"),
            ("\"last:2\"", "cd"),
            ("[\"encoder.d\", \"encoder.b.conv\"]", "bd"),
            ("[\"encoder.*\"]", "abcd"),
        ] {
            let config = config(written);
            assert_eq!(trained(&config), chosen, "{written}");
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<FineTuneConfig>(&text).unwrap(), config);
        }
        let random = trained(&config("\"random:2\""));
        assert_eq!(random.len(), 2);
        assert_eq!(random, trained(&config("\"random:2\"")));
    }

    #[test]
    fn nonsense_is_refused() {
        for written in [
            "\"last\"",
            "\"last:0\"",
            "\"all:2\"",
            "\"top:2\"",
            "3",
            "\"last:x\"",
        ] {
            let text = format!("from = \"nowhere\"\nlayers = {written}");
            assert!(
                toml::from_str::<FineTuneConfig>(&text).is_err(),
                "{written}"
            );
        }
        let many = config("\"last:5\"").trained(&layers(), 1).unwrap_err();
        assert!(many.to_string().contains("at most 4"), "{many}");
        let unknown = config("[\"encoder.x\"]").trained(&layers(), 1).unwrap_err();
        assert!(unknown.to_string().contains("encoder.a.conv"), "{unknown}");
        let none = config("\"top-delta-layermem:1\"")
            .trained(&layers(), 1)
            .unwrap_err();
        assert!(none.to_string().contains("fine_tune.layermem"), "{none}");
    }

    #[test]
    fn the_last_deltas_decide() {
        let run = tempfile::tempdir().unwrap();
        let line = |site: &str, value: f64| {
            format!(
                "{{\"tag\":\"layermem/delta/encoder.{site}.conv\",\"step\":1,\"value\":{value}}}\n"
            )
        };
        let text = [
            line("b", 0.9),
            line("c", 0.1),
            line("d", 0.3),
            line("b", 0.2),
        ]
        .concat();
        fs::write(run.path().join("metrics.jsonl"), text).unwrap();
        let of = |layers: &str, from: &Path| FineTuneConfig {
            from: from.to_owned(),
            ..config(layers)
        };
        let checkpoint = run.path().join("checkpoints/step-00000001");
        fs::create_dir_all(&checkpoint).unwrap();
        for from in [run.path(), &checkpoint] {
            assert_eq!(trained(&of("\"top-delta-layermem:1\"", from)), "d");
            assert_eq!(trained(&of("\"top-delta-layermem:2\"", from)), "bd");
            assert_eq!(trained(&of("\"bottom-delta-layermem:1\"", from)), "c");
        }
        let many = of("\"top-delta-layermem:4\"", run.path());
        let told = many.trained(&layers(), 1).unwrap_err().to_string();
        assert!(told.contains("ask for at most 3"), "{told}");
        // A run whose LayerMem is that of activations.
        let acts = "{\"tag\":\"layermem/delta/encoder.b.act\",\"step\":1,\"value\":0.5}\n";
        fs::write(run.path().join("metrics.jsonl"), acts).unwrap();
        for choice in ["\"top-delta-layermem:1\"", "\"bottom-delta-layermem:1\""] {
            let none = of(choice, run.path()).trained(&layers(), 1).unwrap_err();
            let told = none.to_string();
            for word in ["encoder.b.act", "encoder.a.conv", "`conv`", "`kinds`"] {
                assert!(told.contains(word), "{told}");
            }
        }
    }
}
