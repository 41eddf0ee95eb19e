//! Arms: units of one site that were held at zero, and what came of it.

use afterimage_memory::Calibrated;
use afterimage_numeric::mean_and_deviation;
use afterimage_prune::{Direction, Score};

use super::judge::Figures;

/// What the units of an arm were chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// No units: the encoder as it is.
    Nothing,
    /// The end of a score.
    By(Score, Direction),
    /// At random, in this draw from 1.
    Random(u32),
}

impl Chosen {
    /// The word of the score.
    pub fn score(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::By(score, _) => score.word(),
            Self::Random(_) => Score::Random.word(),
        }
    }

    /// Which end of it goes; nothing for random units.
    pub fn direction(self) -> &'static str {
        match self {
            Self::By(_, direction) => word(direction),
            Self::Nothing | Self::Random(_) => "",
        }
    }

    /// The draw of random units; 0 for a score.
    pub fn draw(self) -> u32 {
        match self {
            Self::Nothing | Self::By(..) => 0,
            Self::Random(draw) => draw,
        }
    }
}

/// The word for a direction in configs.
pub(super) fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Highest => "highest",
        Direction::Lowest => "lowest",
    }
}

/// Units of one site that are held at zero, and what is left of the encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// Name of the group of units.
    pub site: String,
    /// Share of its units that was asked for.
    pub fraction: f64,
    /// What they were chosen by.
    pub chosen: Chosen,
    /// How many went.
    pub gone: usize,
    /// What was measured.
    pub figures: Figures,
    /// Multiply-accumulate operations of an image that are left when the units are taken out; none where
    /// the encoder does not tell.
    pub macs: Option<u64>,
    /// Calibrated LayerMem of the embedding, where there is a reference encoder.
    pub layermem: Option<Calibrated>,
    /// Milliseconds for a batch without the units, where that was asked for and they can be taken out.
    pub milliseconds: Option<f64>,
}

/// A site whose units are studied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudiedSite {
    /// Name of the group of units.
    pub name: String,
    /// All sites with these units.
    pub sites: Vec<String>,
    /// Units that were not pruned before.
    pub units: usize,
}

/// Random units of one site and number: mean and deviation over draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Mean of what kNN lost.
    pub knn_lost: f64,
    /// Its standard deviation over draws; NaN of one.
    pub deviation: f64,
    /// Draws.
    pub draws: usize,
}

/// The random arms of `site` with `gone` units gone, each draw once.
pub(super) fn control(arms: &[Arm], site: &str, gone: usize) -> Option<Control> {
    let mut seen: Vec<u32> = Vec::new();
    let mut lost: Vec<f64> = Vec::new();
    for arm in arms
        .iter()
        .filter(|arm| arm.site == site && arm.gone == gone)
    {
        // Two fractions may ask for the same number of units.
        if let Chosen::Random(draw) = arm.chosen
            && !seen.contains(&draw)
        {
            seen.push(draw);
            lost.push(arm.figures.knn_lost);
        }
    }
    let (knn_lost, deviation) = mean_and_deviation(&lost);
    (!lost.is_empty()).then_some(Control {
        knn_lost,
        deviation,
        draws: lost.len(),
    })
}
