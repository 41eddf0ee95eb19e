//! The command `data`.

use std::path::{Path, PathBuf};

use afterimage::files::plain;
use afterimage::hooks::Column;
use afterimage::{Registry, RunError};
use clap::{Args, Subcommand};

use crate::output::{complain, say};

/// Arguments of `data`.
#[derive(Debug, Args)]
pub struct Data {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What to do with the images of a config or a run.
#[derive(Debug, Subcommand)]
pub enum What {
    /// List the samples, a line each: split, id, file, number of the image in the file, label and its
    /// name, with tabs between.
    List {
        /// A config file, or the directory of a run.
        source: PathBuf,
        /// Set a key of the config, as in `--set limits.train=100`; may be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        sets: Vec<String>,
        /// List one split alone.
        #[arg(long, value_parser = ["train", "held_out"])]
        split: Option<String>,
    },
    /// Decode every image in parallel, and name all that cannot be decoded; exit code 1 if there are any.
    Check {
        /// A config file, or the directory of a run.
        source: PathBuf,
        /// Set a key of the config, as in `--set limits.train=100`; may be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        sets: Vec<String>,
    },
}

/// Executes a command about data; its result is the exit code.
pub fn data(registry: &Registry, arguments: Data) -> Result<u8, RunError> {
    match arguments.what {
        What::List {
            source,
            sets,
            split,
        } => list(registry, &source, &sets, split.as_deref()),
        What::Check { source, sets } => check(registry, &source, &sets),
    }
}

fn check(registry: &Registry, source: &Path, sets: &[String]) -> Result<u8, RunError> {
    let mut notes = Vec::new();
    let found = afterimage::check_images(registry, source, sets, &mut notes)?;
    notes.iter().for_each(|note| complain(note));
    let [train, held_out] = found.images;
    let bad = found.faults.len();
    let mut text: String = found
        .faults
        .iter()
        .map(|fault| format!("{fault}\n"))
        .collect();
    text.push_str(&format!(
        "{train} training and {held_out} held-out images; {bad} of them cannot be decoded\n"
    ));
    say(&text);
    Ok(u8::from(bad > 0))
}

fn list(
    registry: &Registry,
    source: &Path,
    sets: &[String],
    split: Option<&str>,
) -> Result<u8, RunError> {
    let mut notes = Vec::new();
    let table = afterimage::samples(registry, source, sets, &mut notes)?;
    notes.iter().for_each(|note| complain(note));
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut text = names.join("\t") + "\n";
    let splits = table.column("split");
    for row in 0..table.rows() {
        if let (Some(wanted), Some(Column::Text(splits))) = (split, splits)
            && splits[row] != wanted
        {
            continue;
        }
        let cells: Vec<String> = table
            .columns
            .iter()
            .map(|(_, column)| cell(column, row))
            .collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    say(&text);
    Ok(0)
}

/// One value; characters that would act on a terminal or end a cell are escaped.
fn cell(column: &Column, row: usize) -> String {
    match column {
        Column::F64(values) => values[row].to_string(),
        Column::I64(values) => values[row].to_string(),
        Column::Text(words) => plain(&words[row]).into_owned(),
    }
}
