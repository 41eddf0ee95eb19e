//! Settings of the plugin `oob-value`.

use std::path::PathBuf;

use afterimage_hooks::Every;
use serde::{Deserialize, Serialize};

use crate::online::OnlineSettings;

/// What the cells of a sample are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CellSource {
    /// Patches of the stored image, each the mean of its pixels: no augmentation, no network.
    #[default]
    Patches,
    /// Groups of channels of the encoder's output. An encoder that was trained with a label has seen
    /// it, so heads upon it are not out of bag: what is measured then is partly what the encoder
    /// remembers.
    Encoder,
    /// Columns of a table about the training images: what was measured, or is known of them.
    Columns,
}

impl CellSource {
    /// Word in tags.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CellSource::Patches => "patches",
            CellSource::Encoder => "encoder",
            CellSource::Columns => "columns",
        }
    }
}

/// Which forward pass the encoder's outputs are taken from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// That of the training step, before its update: of the augmented views, averaged over those of a
    /// sample, with norms that use the statistics of the batch. It costs no pass. Beside a
    /// plugin that writes views, which may mix samples, it is refused.
    #[default]
    Training,
    /// One of its own after the update, in evaluation mode, of the images without augmentation: about a
    /// third of a step of supervised training.
    Own,
}

/// What other plugins get to read.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Nothing: for a second bank in one run.
    None,
    /// Values of samples.
    #[default]
    Samples,
    /// Values of samples, and of all cells: four more bytes a cell.
    Cells,
}

/// Settings of [`OobValue`](crate::OobValue).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OobValueConfig {
    /// At the end of which epochs to publish; default `"1 epochs"`. What is shared with other
    /// plugins is renewed at the end of each epoch.
    pub every: Every,
    /// In which steps the heads look at the batch; default `"always"`.
    pub steps: Every,
    /// What the cells are; default `"patches"`, also `"encoder"` and `"columns"`.
    pub cells: CellSource,
    /// For `cells = "columns"`, a table with a row for each training image (CSV, Parquet or npy): what was
    /// measured or is known of it. Without `key` its rows are in the order of the images' ids, those that
    /// `limits` leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// The column of `table`, by name or by number from 1, that names the image of each row: as
    /// `afterimage data list` shows it, or by its id. Rows may then be in any order, and there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Columns of `table` that are left out, by name or number; none unless told. The label, and what repeats
    /// it, belongs here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Columns of `table` whose numbers are names of kinds; none unless told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,
    /// Further words for a missing cell in `table`, beside `NA`, `NaN`, `null`, `?` and the like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether the first line of a CSV `table` names its columns; told from the file unless said, and it is
    /// an error where it may be either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Side of a patch in pixels; default 4, at least 1.
    pub patch: usize,
    /// Whether a patch is its mean colour (three numbers), or its mean brightness; default `true`.
    pub colour: bool,
    /// Groups of channels for `cells = "encoder"`; default 32.
    pub groups: usize,
    /// For `cells = "encoder"`, the forward pass that the outputs are from; default `"training"`, also
    /// `"own"`.
    pub pass: Pass,
    /// For `cells = "encoder"`, the weight of the past in each sample's features: 0, the default,
    /// for the encoder as it is; 0.9 for a mean over about ten visits, which is steadier and keeps
    /// four more bytes a channel and sample. Below 1.
    pub average: f64,
    /// Heads; default 32, even.
    pub heads: usize,
    /// Hidden units of a head; default 32.
    pub hidden: usize,
    /// Share of the cells that a head sees in a step; default 0.5.
    pub ratio: f64,
    /// Learning rate of the heads; default 0.01.
    pub rate: f64,
    /// Scores are the probability of the label (`true`, the default), or 1 where it is the largest.
    pub soft: bool,
    /// First epochs that are learned from and not scored; default 1.
    pub warm_up: u32,
    /// Samples whose cells two halves of the bank are compared on; default 512, at least 2.
    pub watched: usize,
    /// Whether the probabilities of all classes are kept and written, out of bag; default `true`.
    pub probabilities: bool,
    /// Samples with the lowest values that are shown as pictures; default 8.
    pub pictures: usize,
    /// Samples with the lowest values whose cells are written at the end of the run; default 1000.
    pub cell_rows: usize,
    /// What other plugins get to read; default `"samples"`, also `"cells"` and `"none"`.
    pub share: Share,
}

impl Default for OobValueConfig {
    fn default() -> Self {
        let settings = OnlineSettings::default();
        Self {
            every: Every::epochs::<1>(),
            steps: Every::Always,
            cells: CellSource::Patches,
            table: None,
            key: None,
            ignore: Vec::new(),
            categorical: Vec::new(),
            missing: Vec::new(),
            header: None,
            patch: 4,
            colour: true,
            groups: 32,
            pass: Pass::Training,
            average: 0.0,
            heads: settings.heads,
            hidden: settings.hidden,
            ratio: settings.ratio,
            rate: settings.rate,
            soft: settings.soft,
            warm_up: 1,
            watched: settings.watched,
            probabilities: true,
            pictures: 8,
            cell_rows: 1000,
            share: Share::Samples,
        }
    }
}

impl OobValueConfig {
    /// The settings of the bank under `seed`.
    pub(crate) fn bank(&self, seed: u64) -> OnlineSettings {
        OnlineSettings {
            seed,
            heads: self.heads,
            hidden: self.hidden,
            ratio: self.ratio,
            rate: self.rate,
            soft: self.soft,
            watched: self.watched,
        }
    }

    /// Whether the outputs of the training's own forward pass are wanted.
    pub(crate) fn reads_training_pass(&self) -> bool {
        self.cells == CellSource::Encoder && self.pass == Pass::Training
    }

    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = self.bank(0).problems();
        let mut check = |right: bool, key, what: &str| {
            if !right {
                problems.push((key, what.to_owned()));
            }
        };
        check(
            (1..=4096).contains(&self.patch),
            "patch",
            "must be from 1 to 4096 pixels",
        );
        check(
            (1..=65536).contains(&self.groups),
            "groups",
            "must be from 1 to 65536",
        );
        check(self.pictures <= 1024, "pictures", "must be at most 1024");
        check(
            (0.0..1.0).contains(&self.average),
            "average",
            "must be at least 0 and below 1",
        );
        let cells = self.cells.name();
        check(
            self.average == 0.0 || self.cells == CellSource::Encoder,
            "average",
            &format!("is for cells = \"encoder\"; {cells} do not change"),
        );
        check(
            self.pass == Pass::Training || self.cells == CellSource::Encoder,
            "pass",
            &format!("is for cells = \"encoder\"; {cells} need no pass"),
        );
        let of_columns = self.cells == CellSource::Columns;
        check(
            self.table.is_some() || !of_columns,
            "table",
            "name the file that `cells = \"columns\"` is about: a row for each training image",
        );
        let told = [
            ("table", self.table.is_some()),
            ("key", self.key.is_some()),
            ("ignore", !self.ignore.is_empty()),
            ("categorical", !self.categorical.is_empty()),
            ("missing", !self.missing.is_empty()),
            ("header", self.header.is_some()),
        ];
        for (key, told) in told {
            check(
                !told || of_columns,
                key,
                &format!("is for `cells = \"columns\"`; {cells} are of no table"),
            );
        }
        problems
    }
}
