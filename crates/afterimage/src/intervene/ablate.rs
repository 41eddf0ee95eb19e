//! Holding units at zero, and what memory that leaves.

use std::path::{Path, PathBuf};

use afterimage_files::Partial;
use afterimage_hooks::SampleId;
use afterimage_hooks::random::{RandomKey, Stream};
use serde::Serialize;

use super::arms::{Arm, ArmTable};
use super::curve::write;
use super::ids::read_ids;
use super::rank::{Ranked, UnitRank, Which};
use super::scores::{Scorer, Scores};
use super::subject::Operated;
use super::units::{Chosen, Grain, Units, widths};
use crate::error::RunError;
use crate::numbers::percent;
use crate::probe::{ProbeOptions, Subject};
use crate::registry::Registry;

/// Units to hold at zero.
#[derive(Debug, Clone, PartialEq)]
pub struct AblateOptions {
    /// The encoder, the images that scores are measured and all arms are judged on, and the probe's
    /// settings.
    pub subject: ProbeOptions,
    /// Scores, each an arm for each share; none twice.
    pub scores: Vec<Ranked>,
    /// The end of a score where none is named.
    pub which: Which,
    /// Shares of the units, ascending, above 0 and below 1.
    pub fractions: Vec<f64>,
    /// Where they are counted.
    pub grain: Grain,
    /// Training points whose owned units rank first by [`UnitRank::Ownership`]: a file of ids, one a
    /// line, or `dose:DOSE` for planted images; the probed training points without.
    pub owned_by: Option<PathBuf>,
    /// Random choices of as many units of each layer that are held at zero beside: no two alike and none
    /// of them chosen by a score; fewer where there are no more.
    pub controls: u64,
    /// Whether units that are about as active as the chosen ones are held at zero beside.
    pub matched: bool,
    /// A directory for the tables and the curve.
    pub out: Option<PathBuf>,
}

/// One choice of units held at zero.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cut {
    /// What units were ranked by.
    pub score: UnitRank,
    /// The end of the score that went.
    pub end: Which,
    /// The share that was asked for.
    pub fraction: f64,
    /// Units at zero.
    pub units: usize,
    /// The encoder without them.
    pub chosen: Arm,
    /// The encoder without units that are about as active, one for each where there are so many.
    pub matched: Option<Arm>,
    /// Which of the random controls are of the same widths.
    pub random: usize,
}

/// Random units held at zero, as many of each layer in each draw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RandomUnitArms {
    /// The share that was asked for.
    pub fraction: f64,
    /// Units at zero.
    pub units: usize,
    /// One encoder a draw.
    pub draws: Vec<Arm>,
}

/// What is left of an encoder, and of its memory, without units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ablation {
    /// Units that can be held at zero.
    pub units: usize,
    /// The encoder as it is.
    pub original: Arm,
    /// The choices, score by score and share by share.
    pub cuts: Vec<Cut>,
    /// Their random controls.
    pub random: Vec<RandomUnitArms>,
}

/// Holds units at zero behind their activation, for each score and share, and judges what is left:
/// accuracy, and memory of the training points.
///
/// The published finding is that without the units of highest UnitMem an encoder loses most
/// (*Localizing Memorization in SSL Vision Encoders*, NeurIPS 2024, Table 6); the random arms, of the
/// same number of units in each layer, tell that from what the loss of any units does. The same units
/// are at zero in a reference encoder, as in a run that prunes.
///
/// # Errors
/// An encoder or images that cannot be read, a share out of range, a score that the encoder does not
/// have.
pub fn ablate(
    registry: &Registry,
    options: &AblateOptions,
    say: &mut dyn FnMut(&str),
) -> Result<Ablation, RunError> {
    check(options)?;
    let folder = options.out.as_deref().map(Partial::beside).transpose()?;
    let mut encoders = vec![options.subject.checkpoint.as_path()];
    encoders.extend(options.subject.reference.as_deref());
    Subject::check_import(&encoders, &options.subject.import)?;
    let operated = Operated::open(&options.subject)?;
    operated.prepared.notes.iter().for_each(|note| say(note));
    let owned_by = options.owned_by.as_deref();
    let owned_by = owned_by.map(|named| points(named, &operated)).transpose()?;
    say("measuring the units");
    let bench = Bench::new(&operated, registry, options, owned_by.as_deref(), say)?;
    options.subject.pulse.expect(arms(options), "arms");
    say("judging the encoder as it is");
    let original = bench.arm("as it is", &Chosen::new())?;
    let mut cuts = Vec::new();
    let mut random: Vec<(Vec<(usize, usize)>, RandomUnitArms)> = Vec::new();
    let plans: Vec<Vec<Chosen>> = options
        .fractions
        .iter()
        .map(|&fraction| bench.cuts(options, fraction))
        .collect();
    for (&fraction, chosen) in options.fractions.iter().zip(&plans) {
        for (ranked, chosen) in options.scores.iter().zip(chosen) {
            let end = ranked.which.unwrap_or(options.which);
            let of = widths(chosen);
            let name = format!("{} {end}, {}", ranked.rank, percent(fraction));
            let units = of.iter().map(|(_, count)| count).sum();
            say(&format!("judging {name}"));
            let arm = bench.arm(&name, chosen)?;
            let matched = bench.matched(&name, chosen)?;
            let control = match random.iter().position(|(widths, _)| *widths == of) {
                Some(place) => place,
                None => {
                    say(&format!("judging {} random controls", options.controls));
                    let taken = plans.iter().flatten().filter(|cut| widths(cut) == of);
                    let draws = bench.random(fraction, &of, options.controls, taken)?;
                    if (draws.len() as u64) < options.controls {
                        say(&format!(
                            "{} random controls beside {name}, as many as there are other choices of as many \
                             units of each layer; {} were asked for",
                            draws.len(),
                            options.controls
                        ));
                    }
                    let arms = RandomUnitArms {
                        fraction,
                        units,
                        draws,
                    };
                    random.push((of, arms));
                    random.len() - 1
                }
            };
            cuts.push(Cut {
                score: ranked.rank,
                end,
                fraction,
                units,
                chosen: arm,
                matched,
                random: control,
            });
        }
    }
    let ablation = Ablation {
        units: bench.units.count(),
        original,
        cuts,
        random: random.into_iter().map(|(_, arms)| arms).collect(),
    };
    if let Some(folder) = folder {
        write(&ablation, folder)?;
    }
    Ok(ablation)
}

/// The training points that `named` stands for: planted images of the run, or the ids in a file.
fn points(named: &Path, operated: &Operated) -> Result<Vec<SampleId>, RunError> {
    let Some(dose) = named.to_str().and_then(|text| text.strip_prefix("dose:")) else {
        return read_ids(named);
    };
    let groups = operated
        .prepared
        .doses
        .iter()
        .flat_map(|doses| &doses.groups);
    let mut names = Vec::new();
    for group in groups {
        if group.dose.name() == dose {
            return Ok(group.ids());
        }
        names.push(group.dose.name());
    }
    let there = match names.is_empty() {
        true => "none was planted".to_owned(),
        false => format!("there are {}", names.join(", ")),
    };
    Err(RunError::Ablate {
        key: "owned-by",
        reason: format!("the run has no images of dose {dose:?}; {there}"),
    })
}

/// Refuses what cannot be done before anything is read.
fn check(options: &AblateOptions) -> Result<(), RunError> {
    let wrong = options
        .fractions
        .iter()
        .find(|share| !(**share > 0.0 && **share < 1.0));
    if let Some(&given) = wrong {
        return Err(RunError::Fraction { given });
    }
    if let Some(pair) = options.fractions.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(RunError::Ablate {
            key: "fraction",
            reason: format!(
                "{} stands before {}; curves go from small shares to large ones, so let shares ascend, \
                 each once",
                pair[0], pair[1]
            ),
        });
    }
    let ends: Vec<(UnitRank, Which)> = options
        .scores
        .iter()
        .map(|ranked| (ranked.rank, ranked.which.unwrap_or(options.which)))
        .collect();
    let twice = (1..ends.len()).find(|at| ends[..*at].contains(&ends[*at]));
    if let Some((rank, end)) = twice.map(|at| ends[at]) {
        return Err(RunError::Ablate {
            key: "score",
            reason: format!("{rank}:{end} stands here twice; give it once"),
        });
    }
    let of_layers = options.scores.iter().find(|ranked| ranked.rank.of_layers());
    if let (Some(ranked), Grain::Layer) = (of_layers, options.grain) {
        return Err(RunError::Ablate {
            key: "score",
            reason: format!(
                "{} is the same for all units of a layer, so that a share of each layer says nothing; \
                 give --per network",
                ranked.rank
            ),
        });
    }
    let owns = options
        .scores
        .iter()
        .any(|ranked| ranked.rank == UnitRank::Ownership);
    if options.owned_by.is_some() && !owns {
        return Err(RunError::Ablate {
            key: "owned-by",
            reason: "it says whose units the score `ownership` looks for; add it to --score"
                .to_owned(),
        });
    }
    Ok(())
}

/// How many encoders are judged, at most: shares of all units together have widths of their own by each
/// score, and so random controls of their own.
fn arms(options: &AblateOptions) -> u64 {
    let cuts = options.fractions.len() * options.scores.len();
    let widths = match options.grain {
        Grain::Layer => options.fractions.len(),
        Grain::Network => cuts,
    };
    let chosen = cuts * (1 + usize::from(options.matched));
    1 + chosen as u64 + widths as u64 * options.controls
}

/// The units with their scores, and the judge of what is left without some.
struct Bench<'a> {
    operated: &'a Operated,
    units: Units,
    /// By place in the options.
    scores: Vec<Scores>,
    /// Mean activations, where they are needed.
    activity: Option<Scores>,
}

impl<'a> Bench<'a> {
    fn new(
        operated: &'a Operated,
        registry: &Registry,
        options: &AblateOptions,
        owned_by: Option<&[SampleId]>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, RunError> {
        let scorer = Scorer::new(operated, owned_by, say)?;
        let of = |ranked: &Ranked| scorer.scores(ranked.rank, registry);
        Ok(Self {
            units: Units::new(scorer.sites().to_vec(), &operated.masks),
            scores: options.scores.iter().map(of).collect::<Result<_, _>>()?,
            activity: options.matched.then(|| scorer.activity()),
            operated,
        })
    }

    fn arm(&self, name: &str, chosen: &Chosen) -> Result<Arm, RunError> {
        let (masks, what) = self.units.masks(chosen)?;
        self.operated
            .arm(name, what, &self.operated.encoder, &masks)
    }

    fn matched(&self, name: &str, chosen: &Chosen) -> Result<Option<Arm>, RunError> {
        let Some(activity) = &self.activity else {
            return Ok(None);
        };
        let others = self.units.as_active(chosen, activity);
        let missing = widths(chosen) != widths(&others);
        let name = match missing {
            true => format!("as active as {name} (fewer units)"),
            false => format!("as active as {name}"),
        };
        self.arm(&name, &others).map(Some)
    }

    /// The units that go by each score.
    fn cuts(&self, options: &AblateOptions, fraction: f64) -> Vec<Chosen> {
        let all = options.scores.iter().zip(&self.scores);
        all.map(|(ranked, scores)| {
            let end = ranked.which.unwrap_or(options.which);
            self.units.cut(scores, end, options.grain, fraction)
        })
        .collect()
    }

    /// Random controls, none of which is one of `taken`.
    fn random<'c>(
        &self,
        fraction: f64,
        widths: &[(usize, usize)],
        draws: u64,
        taken: impl Iterator<Item = &'c Chosen>,
    ) -> Result<Vec<Arm>, RunError> {
        let name = format!("random units, {}", percent(fraction));
        let key = RandomKey::new(self.operated.config.seed, Stream::Layers);
        let controls = self.units.controls(widths, key, draws, taken.cloned());
        controls
            .iter()
            .map(|chosen| self.arm(&name, chosen))
            .collect()
    }
}

impl std::fmt::Display for Ablation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = ArmTable::new();
        table.row("as it is".to_owned(), &[&self.original]);
        let of = |units: usize| format!("{units} of {} units that can be held at zero", self.units);
        for (place, random) in self.random.iter().enumerate() {
            for cut in self.cuts.iter().filter(|cut| cut.random == place) {
                table.row(
                    format!("{} ({})", cut.chosen.name, of(cut.units)),
                    &[&cut.chosen],
                );
                if let Some(matched) = &cut.matched {
                    table.row(matched.name.clone(), &[matched]);
                }
            }
            if let Some(first) = random.draws.first() {
                let count = random.draws.len();
                let draws: Vec<&Arm> = random.draws.iter().collect();
                table.row(format!("{} ({count} draws)", first.name), &draws);
            }
        }
        f.write_str(&table.with_null(&self.original))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(fraction: f64, rank: UnitRank) -> AblateOptions {
        AblateOptions {
            subject: ProbeOptions {
                checkpoint: "nowhere".into(),
                ..ProbeOptions::default()
            },
            scores: vec![Ranked { rank, which: None }],
            which: Which::Top,
            fractions: vec![fraction, 0.5],
            grain: Grain::Layer,
            owned_by: None,
            controls: 1,
            matched: false,
            out: None,
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_anything_is_read() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN] {
            let refused = check(&options(fraction, UnitRank::Unitmem));
            assert!(matches!(refused, Err(RunError::Fraction { .. })));
        }
        assert!(check(&options(0.1, UnitRank::Unitmem)).is_ok());
        let refused = check(&options(0.1, UnitRank::LayermemDelta));
        assert!(matches!(
            refused,
            Err(RunError::Ablate { key: "score", .. })
        ));
        for fraction in [0.5, 0.7] {
            let refused = check(&options(fraction, UnitRank::Unitmem));
            assert!(
                matches!(
                    refused,
                    Err(RunError::Ablate {
                        key: "fraction",
                        ..
                    })
                ),
                "{fraction}"
            );
        }
        let mut twice = options(0.1, UnitRank::Unitmem);
        twice.scores.push("unitmem:top".parse().unwrap());
        let told = check(&twice).unwrap_err().to_string();
        assert!(
            told.contains("--score: unitmem:top stands here twice"),
            "{told}"
        );
        twice.scores[1] = "unitmem:low".parse().unwrap();
        assert!(check(&twice).is_ok());
        let mut owned = options(0.1, UnitRank::Unitmem);
        owned.owned_by = Some("ids.txt".into());
        assert!(matches!(
            check(&owned),
            Err(RunError::Ablate {
                key: "owned-by",
                ..
            })
        ));
    }
}
