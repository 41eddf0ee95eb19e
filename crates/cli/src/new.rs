//! The command `new`.

use std::ffi::OsStr;
use std::path::PathBuf;

use afterimage::files::word;
use afterimage::{NewOptions, Recipe, Registry, RunError, new_config, recipes, write_new};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::output::say;

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct New {
    /// The config file, as in mine.toml; the run is named after it. A file that is there is not written over.
    pub config: PathBuf,
    /// The images: a folder or a file, whose kind is found out; or embedded, idx:DIR, cifar10[:DIR],
    /// cifar100[:DIR], folder:DIR, tar:PATH or parquet:PATH. By default those in the program.
    #[arg(long, value_name = "DIR|KIND:PATH")]
    pub data: Option<String>,
    /// What the encoder is trained for; by default simclr.
    #[arg(long, value_parser = Words(|recipe| &recipe.objective))]
    pub objective: Option<String>,
    /// The encoder; by default the first that there is a recipe with.
    #[arg(long, value_parser = Words(|recipe| &recipe.encoder))]
    pub encoder: Option<String>,
    /// The quickstart: two encoders on 400 of the images in the program, which memorize some of them and
    /// show it, in a minute or two.
    #[arg(long, conflicts_with_all = ["data", "objective", "encoder"])]
    pub quickstart: bool,
}

/// One of what the recipes have; they are read when a value is given or listed, not by every command.
#[derive(Clone)]
struct Words(fn(&'static Recipe) -> &'static str);

impl Words {
    /// Each once.
    fn all(&self) -> Vec<&'static str> {
        let mut words: Vec<&'static str> = Vec::new();
        for word in recipes().iter().map(self.0) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        PossibleValuesParser::new(self.all()).parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.all().into_iter().map(PossibleValue::new)))
    }
}

/// Writes a config; its result is the exit code.
pub fn new(registry: &Registry, arguments: &New) -> Result<u8, RunError> {
    let options = NewOptions {
        data: arguments.data.clone(),
        objective: arguments.objective.clone(),
        encoder: arguments.encoder.clone(),
        quickstart: arguments.quickstart,
    };
    let path = &arguments.config;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    let text = new_config(registry, &stem.unwrap_or_default(), &options)?;
    write_new(path, &text)?;
    let named = word(path);
    say(&format!(
        "{}\nnext:  afterimage check {named}\n       afterimage run {named}\n",
        path.display()
    ));
    Ok(0)
}
