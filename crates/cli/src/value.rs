//! `afterimage value`: values of the rows and cells of a table.

use std::path::PathBuf;

use afterimage::Pulse;
use afterimage::valuation::{Fix, FixBy, ValueJob, Valued};
use afterimage::value::{
    Candidates, LabelSource, NearDuplicates, ReadOptions, Repair, Score, Settings, Target, Task,
    ValueError, label, parse_bytes,
};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::alive::Alive;
use crate::output::{complain_line, say};
use crate::value_learner::learner;

/// Arguments of `value`.
#[derive(Debug, Args)]
pub struct Value {
    /// The table: CSV (commas, semicolons or tabs), Parquet (.parquet) or npy (.npy).
    pub table: PathBuf,
    /// The column of the labels: its name, or its number from 1.
    #[arg(long, value_name = "COL", required_unless_present = "label_file")]
    label: Option<String>,
    /// A file with one label a row, without header, instead of a column.
    #[arg(long, value_name = "FILE", conflicts_with = "label")]
    label_file: Option<PathBuf>,
    /// The first line of the CSV file names the columns, although it looks like a row.
    #[arg(long, conflicts_with = "no_header")]
    header: bool,
    /// The first line of the CSV file is a row; columns go by their numbers from 1.
    #[arg(long)]
    no_header: bool,
    /// A column that names the rows; it is copied to the results and nothing is learned from it.
    #[arg(long, value_name = "COL")]
    id: Option<String>,
    /// Columns to leave out, by name or by number from 1, with commas between them; may be repeated.
    #[arg(long, value_name = "COL")]
    ignore: Vec<String>,
    /// A column whose numbers are names of categories; may be repeated.
    #[arg(long, value_name = "COL")]
    categorical: Vec<String>,
    /// A further word for a missing cell, beside NA, NaN, null, ? and the like; may be repeated.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    missing: Vec<String>,
    /// In a CSV file, and among labels that are texts in an npy file, NA, None, null and the like are
    /// texts; only empty cells and those of --missing are missing. In Parquet files they always are texts.
    #[arg(long)]
    keep_missing_words: bool,
    /// What the labels are; told from their form by default.
    #[arg(long, value_enum)]
    task: Option<TaskName>,
    /// What is fitted to each bag of rows.
    #[arg(long, value_enum, default_value = "tree")]
    pub(crate) learner: LearnerName,
    /// Number of learners; errors of the values fall with its root.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    learners: u32,
    /// Share of the columns that each learner sees.
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    ratio: f64,
    /// What is averaged: hits (plain), probabilities of the label (soft), or hits plus the paper's
    /// distance term, which finds cells that lie far out and hides label errors.
    #[arg(long, value_enum, default_value = "plain")]
    score: ScoreName,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads, all cores by default; it changes no value.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Columns that a tree tries at each cut: sqrt (the default), all, or a number.
    #[arg(long, value_name = "N", value_parser = candidates)]
    pub(crate) max_features: Option<Candidates>,
    /// Cuts between a tree's root and its leaves; without, leaves are pure.
    #[arg(long, value_name = "N")]
    pub(crate) max_depth: Option<u32>,
    /// Most bins of a numeric column of trees, 65536 by default; fewer make trees on long tables
    /// faster. Columns of no more different numbers are cut exactly.
    #[arg(long, value_name = "N")]
    pub(crate) bins: Option<usize>,
    /// Weight of the squared coefficients of a linear learner, 1 by default.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) penalty: Option<f64>,
    /// Hidden units of an mlp learner, 16 by default.
    #[arg(long, value_name = "N")]
    pub(crate) hidden: Option<usize>,
    /// Passes of an mlp learner over its bag, 30 by default.
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Most memory, as in 4GB; a table that needs more is refused before the work starts.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<usize>,
    /// Rows and cells in the printed lists.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Folder for rows.csv, cells.csv, the same as Parquet, and report.html; it must not exist, or
    /// be empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also write a copy of the table with suspicious cells repaired, and a list of them.
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "impute"
    )]
    fix: Option<RepairName>,
    /// Cells at least this many standard deviations from the mean of their class are suspicious.
    #[arg(
        long,
        value_name = "Z",
        default_value_t = 4.0,
        requires = "fix",
        allow_hyphen_values = true
    )]
    fix_z: f64,
    /// Instead, this share of the cells is: those of the lowest values.
    #[arg(
        long,
        value_name = "SHARE",
        requires = "fix",
        conflicts_with = "fix_z",
        allow_hyphen_values = true
    )]
    fix_lowest: Option<f64>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskName {
    Classification,
    Regression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LearnerName {
    /// Decision trees: gini for classes, variance for numbers.
    Tree,
    /// Logistic regression for classes, ridge regression for numbers.
    Linear,
    /// Networks with one hidden layer.
    Mlp,
}

impl LearnerName {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LearnerName::Tree => "tree",
            LearnerName::Linear => "linear",
            LearnerName::Mlp => "mlp",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScoreName {
    Plain,
    Soft,
    Distance,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RepairName {
    /// Suspicious cells become empty.
    Blank,
    /// They get the column's median or most frequent category.
    Impute,
}

fn candidates(text: &str) -> Result<Candidates, String> {
    match text {
        "sqrt" => Ok(Candidates::Root),
        "all" => Ok(Candidates::All),
        _ => text
            .parse()
            .map(Candidates::Count)
            .map_err(|_| "give `sqrt`, `all` or a number of columns".to_owned()),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    parse_bytes(text).ok_or_else(|| "give a size as in 500MB or 4GB".to_owned())
}

/// Values a table; the result is the exit code.
pub fn execute(arguments: Value) -> u8 {
    let json = arguments.json;
    match arguments.job().and_then(run) {
        Ok(valued) => {
            say(&valued.summary());
            if json {
                say(&format!("{}\n", result(&valued)));
            }
            0
        }
        Err(error) => {
            complain_line(&format!("error: {error}"));
            if error.is_users() { 2 } else { 1 }
        }
    }
}

fn run(job: ValueJob) -> Result<Valued, ValueError> {
    let pulse = Pulse::default();
    let alive = Alive::watch(pulse.clone());
    alive.begin("reading the table");
    let mut prepared = job.prepare()?;
    let learners = u64::from(prepared.learners());
    alive.tell(&prepared.describe());
    alive.begin("comparing rows");
    prepared.compare_rows()?;
    alive.begin("valuing");
    pulse.expect(learners, "learners");
    prepared.run(&|done| {
        pulse.set(u64::from(done));
        if u64::from(done) == learners {
            pulse.expect(0, "");
            alive.begin("writing down the values of rows and cells");
        }
    })
}

fn result(valued: &Valued) -> serde_json::Value {
    let number = |value: f64| {
        if value.is_nan() {
            serde_json::Value::Null
        } else {
            json!(value)
        }
    };
    let problem = &valued.table.problem;
    let predicted = |row: usize| match (problem.target(), &valued.said[row]) {
        (Target::Classes { names, .. }, said) => json!(said.class.map(|at| &names[at as usize])),
        (Target::Numbers(_), said) => number(said.number),
    };
    let rows: Vec<_> = valued
        .lowest_rows
        .iter()
        .take(valued.job().top)
        .map(|&row| {
            json!({
                "row": row + 1,
                "id": problem.ids().map(|ids| &ids[row]),
                "label": label(problem, row),
                "predicted": predicted(row),
                "suspect": valued.said[row].suspect,
                "data_oob": number(valued.rows[row].data_oob.value),
            })
        })
        .collect();
    let check = valued.check.map(|check| {
        let (low, high) = check.interval();
        json!({
            "planted": check.planted,
            "found": check.found,
            "right": check.right,
            "interval": [low, high],
        })
    });
    let cells: Vec<_> = valued
        .lowest_cells
        .iter()
        .map(|cell| {
            let name = &valued.table.problem.columns()[cell.column].name;
            json!({"row": cell.row + 1, "column": name, "value": number(cell.value), "z": number(cell.z)})
        })
        .collect();
    json!({
        "rows": valued.rows.len(),
        "columns": valued.table.problem.columns().len(),
        "suspect_labels": matches!(problem.target(), Target::Classes { .. }).then(|| valued.suspects()),
        "check": check,
        "near_duplicates": near(&valued.near, valued.job().top),
        "lowest_rows": rows,
        "lowest_cells": cells,
        "fixes": valued.fixes,
        "out": valued.job().out.as_ref().map(|out| out.display().to_string()),
    })
}

/// Near duplicates: the first `top` sets with their rows, from 1.
fn near(near: &NearDuplicates, top: usize) -> serde_json::Value {
    let sets = near.sets.iter().take(top).map(|set| {
        let rows: Vec<u32> = set.rows.iter().map(|row| row + 1).collect();
        json!({"rows": rows, "labels": set.labels, "distance": set.distance})
    });
    let reaches = near.reaches.iter().map(|reach| {
        let dimension = Some(reach.dimension).filter(|dimension| dimension.is_finite());
        json!({"neighbour": reach.neighbour, "part": reach.part, "dimension": dimension})
    });
    json!({
        "rows": near.duplicates(),
        "sets": sets.collect::<Vec<_>>(),
        "sets_in_all": near.sets.len(),
        "within": reaches.collect::<Vec<_>>(),
        "compared_with": near.compared,
        "different_rows": near.different,
    })
}

impl Value {
    fn job(self) -> Result<ValueJob, ValueError> {
        let learner = learner(&self)?;
        let label = match (self.label, self.label_file) {
            (_, Some(file)) => LabelSource::File(file),
            (label, None) => LabelSource::Column(label.unwrap_or_default()),
        };
        let fix = self.fix.map(|repair| Fix {
            repair: match repair {
                RepairName::Blank => Repair::Blank,
                RepairName::Impute => Repair::Impute,
            },
            by: match self.fix_lowest {
                Some(share) => FixBy::LowestValues(share),
                None => FixBy::Distance(self.fix_z),
            },
        });
        let defaults = Settings::default();
        Ok(ValueJob {
            table: self.table,
            read: ReadOptions {
                header: !self.no_header,
                header_told: self.header || self.no_header,
                label,
                id: self.id,
                ignore: self.ignore,
                categorical: self.categorical,
                missing: self.missing,
                keep_missing_words: self.keep_missing_words,
                task: self.task.map(|task| match task {
                    TaskName::Classification => Task::Classification,
                    TaskName::Regression => Task::Regression,
                }),
            },
            settings: Settings {
                learner,
                learners: self.learners,
                ratio: self.ratio,
                seed: self.seed,
                threads: self.threads,
                score: match self.score {
                    ScoreName::Plain => Score::Plain,
                    ScoreName::Soft => Score::Soft,
                    ScoreName::Distance => Score::Distance,
                },
                bins: self.bins.unwrap_or(defaults.bins),
            },
            out: self.out,
            fix,
            top: self.top,
            memory: self.memory,
        })
    }
}
