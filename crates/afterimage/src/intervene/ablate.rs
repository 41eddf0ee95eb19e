//! Holding units at zero, by what they memorize.

use std::fmt;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Site, Split};
use afterimage_memory::{Probe, chosen_of};
use afterimage_model::EncoderView;

use super::arms::Arms;
use super::subject::Operated;
use crate::error::RunError;
use crate::points::fewer;
use crate::probe::{ProbeOptions, Subject};

/// Which units are held at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those with the highest UnitMem.
    Top,
    /// Those with the lowest UnitMem; dead units first.
    Low,
}

/// Where units are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// The same share of each layer.
    Layer,
    /// A share of all units together, wherever they are.
    Network,
}

/// Units to hold at zero.
#[derive(Debug, Clone, PartialEq)]
pub struct AblateOptions {
    /// The encoder, the images that UnitMem is measured and all arms are judged on, and the probe's
    /// settings.
    pub subject: ProbeOptions,
    /// Which units.
    pub which: Which,
    /// Share of the units, above 0 and below 1.
    pub fraction: f64,
    /// Where they are counted.
    pub grain: Grain,
    /// Random choices of as many units (of each layer, for [`Grain::Layer`]) that are held at zero
    /// beside.
    pub controls: u64,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Top => "top",
            Self::Low => "low",
        })
    }
}

/// One unit of the encoder.
#[derive(Debug, Clone, Copy)]
struct Unit {
    site: usize,
    unit: usize,
    score: f64,
}

/// Holds units at zero behind their activation and judges the result.
///
/// UnitMem is measured on training points, as the plugin `unitmem` does. The published finding is
/// that without the units that memorize most the encoder loses most (*Localizing Memorization in SSL
/// Vision Encoders*, NeurIPS 2024, Table 6); the random arms tell that from what the loss of as many
/// units does anyhow.
///
/// # Errors
/// An encoder or images that cannot be read, a share out of range.
pub fn ablate(options: &AblateOptions, say: &mut dyn FnMut(&str)) -> Result<Arms, RunError> {
    if !(options.fraction > 0.0 && options.fraction < 1.0) {
        return Err(RunError::Fraction {
            given: options.fraction,
        });
    }
    Subject::check_import(&[&options.subject.checkpoint], &options.subject.import)?;
    let operated = Operated::open(&options.subject)?;
    say("measuring UnitMem");
    operated.prepared.notes.iter().for_each(|note| say(note));
    let (sites, units) = units(&operated, say)?;
    if units.is_empty() {
        return Err(RunError::NoUnits {
            pattern: operated.config.unitmem.sites.clone(),
        });
    }
    let (count, seed) = (sites.len(), operated.config.seed);
    let groups: Vec<Vec<Unit>> = match options.grain {
        Grain::Network => vec![units],
        Grain::Layer => (0..count)
            .map(|site| units.iter().filter(|u| u.site == site).copied().collect())
            .collect(),
    };
    let judged = |name: &str, cut: &[Unit]| {
        let mut masks = operated.masks.clone();
        let mut what = Vec::new();
        for (at, site) in sites.iter().enumerate() {
            let units: Vec<usize> = cut
                .iter()
                .filter(|u| u.site == at)
                .map(|u| u.unit)
                .collect();
            if !units.is_empty() {
                masks.prune(site, &units)?;
                what.push(format!("{}: {units:?}", site.name));
            }
        }
        operated.arm(name, what, &operated.encoder, &masks)
    };
    say("judging the encoder as it is");
    let original = operated.arm("as it is", Vec::new(), &operated.encoder, &operated.masks)?;
    say("judging the ablation");
    let which = options.which;
    let chosen = cut(&groups, options.fraction, |group| {
        group.sort_by(|a, b| {
            let by_score = match which {
                Which::Top => b.score.total_cmp(&a.score),
                Which::Low => a.score.total_cmp(&b.score),
            };
            by_score.then((a.site, a.unit).cmp(&(b.site, b.unit)))
        });
    });
    let chosen = judged(&format!("{which} units at zero"), &chosen)?;
    let controls = (1..=options.controls)
        .map(|draw| {
            say(&format!("judging random control {draw}"));
            let mut generator = RandomKey::new(seed, Stream::Layers).step(draw).generator();
            let random = cut(&groups, options.fraction, |group| generator.shuffle(group));
            judged("random units at zero", &random)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arms {
        original,
        chosen,
        controls,
    })
}

/// The first `fraction` of each group, at least one unit, in the order that `order` gives it.
fn cut(groups: &[Vec<Unit>], fraction: f64, mut order: impl FnMut(&mut [Unit])) -> Vec<Unit> {
    let mut cut = Vec::new();
    for group in groups {
        let mut group = group.clone();
        order(&mut group);
        let share = (group.len() as f64 * fraction).round() as usize;
        group.truncate(share.max(1));
        cut.extend(group);
    }
    cut
}

/// The probed sites and their units with UnitMem on training points; a unit without a score, which
/// is silent, counts as 0.
fn units(
    operated: &Operated,
    say: &mut dyn FnMut(&str),
) -> Result<(Vec<Site>, Vec<Unit>), RunError> {
    let config = &operated.config.unitmem;
    let probe = Probe {
        tap: config.tap(),
        form: config.form,
        views: config.views,
        batch: config.batch,
    };
    let store = &operated.prepared.store;
    let view = EncoderView::new(&operated.encoder, &operated.masks);
    let members = operated.prepared.members();
    if members.len() < 2 {
        return Err(RunError::FewPoints {
            points: config.points,
            train: members.len(),
        });
    }
    if members.len() < config.points {
        say(&fewer("UnitMem", "training", members.len(), config.points));
    }
    let ids = chosen_of(operated.config.seed, Split::Train, &members, config.points);
    let measured = probe
        .measure(&view, store, Split::Train, &ids)
        .map_err(afterimage_train::TrainError::Evaluation)?;
    let sites: Vec<Site> = probe.sites(&view).into_iter().cloned().collect();
    let mut units = Vec::new();
    for (site, measured) in measured.iter().enumerate() {
        let unitmem = measured.points.unitmem();
        for (unit, score) in unitmem.scores().iter().enumerate() {
            units.push(Unit {
                site,
                unit,
                score: score.value().unwrap_or(0.0),
            });
        }
    }
    Ok((sites, units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_out_of_range_is_refused_before_anything_is_read() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN] {
            let options = AblateOptions {
                subject: ProbeOptions {
                    checkpoint: "nowhere".into(),
                    ..ProbeOptions::default()
                },
                which: Which::Top,
                fraction,
                grain: Grain::Layer,
                controls: 1,
            };
            let refused = ablate(&options, &mut |_| {});
            assert!(matches!(refused, Err(RunError::Fraction { .. })));
        }
    }
}
