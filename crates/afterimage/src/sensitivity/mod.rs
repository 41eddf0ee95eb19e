//! How sensitive an encoder is to the loss of units, site by site.
//!
//! Units of one site after the other are held at zero, chosen by scores or at random, and what is left
//! is judged. The study is one process on one load of the encoder, and computes what lies before a site
//! once.

mod arm;
mod error;
mod greedy;
mod groups;
mod judge;
mod options;
mod output;
mod page;
mod prefix;
mod progress;
mod proposal;
mod prune_file;
mod scores;
mod study;
mod table;

use std::collections::BTreeMap;

use afterimage_files::Partial;
use afterimage_model::{EncoderView, evaluation};
use afterimage_prune::{Direction, Score};
use afterimage_track::files::write_beside;

use crate::error::RunError;
use crate::intervene::views_fit;
use crate::probe::{Prepared, Subject, load_for};
use crate::whole::check_file;

pub use arm::{Arm, Chosen, Control, StudiedSite};
pub use error::SensitivityError;
pub use judge::Figures;
pub use options::{Budget, SensitivityOptions};
pub use proposal::{Proposal, ProposedSite, Uniform};

use groups::Groups;
use judge::Judge;
use prefix::Prefix;
use scores::Sources;
use study::Study;

/// A score, and which of its ends goes.
pub type Way = (Score, Direction);

/// What a study found.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivity {
    /// The encoder in a few words.
    pub encoder: String,
    /// The epoch of its checkpoint; none for weights without a history.
    pub epoch: Option<u32>,
    /// The step of the same.
    pub step: Option<u64>,
    /// The seed of random units, points and probes.
    pub seed: u64,
    /// Training images of the bank and the probe, and held-out images.
    pub images: (usize, usize),
    /// The encoder as it is.
    pub whole: Arm,
    /// Units of all groups.
    pub units: usize,
    /// The sites, in forward order.
    pub sites: Vec<StudiedSite>,
    /// Shares of their units.
    pub fractions: Vec<f64>,
    /// Scores with their directions.
    pub ways: Vec<Way>,
    /// All arms, by site, then by fraction.
    pub arms: Vec<Arm>,
    /// Fractions for a budget, where they were asked for.
    pub proposal: Option<Proposal>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Holds units of one site after the other at zero and measures what is left; `say` hears how far it is.
///
/// # Errors
/// An encoder or images that cannot be read, sites that the encoder does not have, a score that cannot be
/// had, a budget out of reach, a result that cannot be written.
pub fn sensitivity(
    options: &SensitivityOptions,
    say: &mut dyn FnMut(&str),
) -> Result<Sensitivity, RunError> {
    options.check()?;
    let folder = options.out.as_deref().map(Partial::beside).transpose()?;
    if let Some((path, _)) = &options.write {
        check_file("--write", path)?;
    }
    Subject::check_import(&[&options.subject.checkpoint], &options.subject.import)?;
    let subject = Subject::open(&options.subject.checkpoint, &options.subject.import)?;
    let loaded = load_for(&subject, &options.subject)?;
    views_fit(&subject, &loaded.value)?;
    let prepared = Prepared::new(&subject, &loaded.value, &options.subject)?;
    let config = &loaded.value;
    let mut notes = loaded.notes.clone();
    notes.extend(prepared.notes.iter().cloned());
    let encoder = evaluation(&prepared.encoder.0);
    let masks = &prepared.encoder.1;
    let shape = prepared.plain.shape();
    let side = shape.height.min(shape.width);
    let groups = Groups::of(&encoder, masks, &options.sites, side)?;
    let judge = Judge::new(&prepared, config.seed)?;
    let view = EncoderView::new(&encoder, masks);
    let sources = Sources {
        subject: &subject,
        prepared: &prepared,
        config,
        view: &view,
    };
    let mut scored = Vec::new();
    for &score in options
        .scores
        .iter()
        .filter(|score| **score != Score::Random)
    {
        say(&format!("reading the score {}", score.word()));
        scored.push(sources.read(score, &mut notes)?);
    }
    let mut study = Study {
        options,
        config,
        prepared: &prepared,
        encoder: &encoder,
        masks,
        groups,
        judge,
        scored,
    };
    if let Some((_, budget)) = &options.write {
        study.reach(*budget)?;
    }
    say("judging the encoder as it is");
    let images = study.judge.images();
    let mut prefix = Prefix::new(&encoder, masks, &images, &prepared.device);
    prefix.advance(0)?;
    let whole = study.whole(&prefix)?;
    let arms = study.arms(&mut prefix, say)?;
    let clock = subject.checkpoint().map(|_| prepared.clock);
    let mut found = Sensitivity {
        encoder: subject.description.clone(),
        epoch: clock.map(|clock| clock.epoch),
        step: clock.map(|clock| clock.step),
        seed: config.seed,
        images: study.judge.counts(),
        whole,
        units: study.groups.units(&BTreeMap::new()),
        sites: study.groups.tied.iter().map(StudiedSite::of).collect(),
        fractions: options.fractions.clone(),
        ways: study
            .ways()
            .into_iter()
            .map(|(scored, direction)| (scored.score, direction))
            .collect(),
        arms,
        proposal: None,
        notes,
    };
    // What was measured is kept, also where it reaches no budget.
    let mut unproposed = None;
    if let Some((_, budget)) = &options.write {
        say("measuring the proposal");
        let mut prefix = Prefix::new(&encoder, masks, &images, &prepared.device);
        match study.propose(&found, *budget, &mut prefix) {
            Ok(proposal) => found.proposal = Some(proposal),
            Err(error) => unproposed = Some(error),
        }
    }
    if let Some(folder) = folder {
        output::write(&found, &loaded.resolved, folder)?;
    }
    if let Some(error) = unproposed {
        return Err(error);
    }
    if let (Some((path, _)), Some(proposal)) = (&options.write, &found.proposal) {
        let text = prune_file::text(&found, proposal, &config.unitmem);
        write_beside(path, text.as_bytes())?;
    }
    Ok(found)
}

impl Sensitivity {
    /// The arm of `site` whose units were chosen by `score` from its end `direction`.
    pub fn arm(&self, site: &str, fraction: f64, way: Way) -> Option<&Arm> {
        let chosen = Chosen::By(way.0, way.1);
        let mut arms = self.arms.iter();
        arms.find(|arm| arm.site == site && arm.fraction == fraction && arm.chosen == chosen)
    }

    /// Random units beside an arm: of the same site and number.
    pub fn beside(&self, arm: &Arm) -> Option<Control> {
        arm::control(&self.arms, &arm.site, arm.gone)
    }

    /// Random units of `site` at the width of `fraction`.
    pub fn random(&self, site: &str, fraction: f64) -> Option<Control> {
        let units = self.sites.iter().find(|s| s.name == site)?.units;
        let gone = (fraction * units as f64).round() as usize;
        arm::control(&self.arms, site, gone.min(units.saturating_sub(1)))
    }
}

impl StudiedSite {
    fn of(tied: &groups::Tied) -> Self {
        Self {
            name: tied.group.name.clone(),
            sites: tied.group.sites.clone(),
            units: tied.alive.len(),
        }
    }
}
