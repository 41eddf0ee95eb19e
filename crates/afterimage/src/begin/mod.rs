//! A first config: a recipe of the project for the user's images, every key with what it does.

mod comments;
mod images;
mod recipes;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use toml_edit::{DocumentMut, Item, value};

use crate::error::RunError;
use crate::registry::Registry;
use crate::schema::whole_schema;
use crate::validate::is_name;

use images::{Images, images};
pub use recipes::{Recipe, recipes};

/// What a first config is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewOptions {
    /// The images: a folder or a file, whose kind is found out, `KIND:PATH`, or a kind whose images have
    /// a place of their own (`embedded`, `cifar10`, `cifar100`); those in the program without.
    pub data: Option<String>,
    /// The objective, as `kind` of `[objective]` has it; SimCLR without.
    pub objective: Option<String>,
    /// The encoder, as [`Recipe::encoder`] has it; the first that the objective has a recipe with
    /// otherwise.
    pub encoder: Option<String>,
    /// The quickstart in place of all this: two encoders on a few of the images in the program, which
    /// memorize some of them and show it.
    pub quickstart: bool,
}

/// The text of a config called `name`: the settings of a recipe for the images that are told, each key
/// with what its type says of it, and keys that are at their defaults behind a `#`.
///
/// On the images in the program a recipe for CIFAR-10 is cut down to what two cores do while one waits:
/// fewer epochs, smaller batches and as much smaller a rate.
///
/// # Errors
/// A name that is none, a pair that there is no recipe for, images that are not found.
pub fn new_config(
    registry: &Registry,
    name: &str,
    options: &NewOptions,
) -> Result<String, RunError> {
    if !is_name(name) {
        return Err(RunError::New {
            what: "the name of the file".to_owned(),
            reason: format!(
                "{name:?} becomes the run's name, which names a folder: letters, digits, '-', '_' and '.'"
            ),
        });
    }
    let told = [&options.data, &options.objective, &options.encoder];
    if options.quickstart && told.into_iter().any(Option::is_some) {
        return Err(RunError::New {
            what: "--quickstart".to_owned(),
            reason: "it has images, objective and encoder of its own; leave the others out"
                .to_owned(),
        });
    }
    let images = images(options.data.as_deref())?;
    let recipe = match options.quickstart {
        true => recipes::quickstart()?,
        false => recipes::find(
            options.objective.as_deref(),
            options.encoder.as_deref(),
            images.inside,
        )?,
    };
    let mut document: DocumentMut = recipe.text.parse().map_err(|error| RunError::New {
        what: recipe.file.to_owned(),
        reason: format!("{error}"),
    })?;
    document["name"] = value(name);
    document["data"] = Item::Table(images.table());
    let mut note = format!("The settings are those of {}", recipe.file);
    if images.inside && !recipe.inside && cut_down(&mut document) {
        note.push_str(
            ", with fewer epochs, smaller batches and as much smaller a rate, for the few images in the \
             program; give others with --data for the whole of it",
        );
    }
    if let Some(count) = images.pictures
        && fill_batches(&mut document, count)
    {
        note.push_str(&format!(
            ", with batches that your {count} pictures fill, and as much smaller a rate"
        ));
    }
    let head = head(name, recipe, &images, &note);
    Ok(head + &comments::commented(&document, &whole_schema(registry)))
}

/// Writes `text` to a file that is not there yet.
///
/// # Errors
/// A file that is there, a folder that is not.
pub fn write_new(path: &Path, text: &str) -> Result<(), RunError> {
    let failed = |source| RunError::Io {
        path: path.to_owned(),
        verb: "write",
        source,
    };
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(RunError::New {
                what: path.display().to_string(),
                reason: "this is there already; name another file, or remove it".to_owned(),
            });
        }
        opened => opened.map_err(failed)?,
    };
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a config may be sound and mean something else.
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// What stands above the first key.
fn head(name: &str, recipe: &Recipe, images: &Images, note: &str) -> String {
    let (objective, encoder) = (&recipe.objective, &recipe.encoder);
    let mut text = comments::comment(&format!(
        "{name}: {objective} with {encoder} on {}.",
        images.about
    ));
    text.push_str(&format!(
        "#   afterimage check {name}.toml\n#   afterimage run {name}.toml\n#\n"
    ));
    text += &comments::comment(&format!(
        "{note}. A key right behind a # is at its default: take the # away to change it. All keys are in \
         docs/keys.md and in `afterimage schema --markdown`; plugins are listed by `afterimage plugins`."
    ));
    text.push('\n');
    text
}

/// Settings that suit thousands of images and hours, for the images in the program and minutes; whether
/// any was changed.
fn cut_down(document: &mut DocumentMut) -> bool {
    const EPOCHS: i64 = 5;
    const BATCH: i64 = 128;
    let of = |item: &Item| item.as_integer().unwrap_or(0);
    let (epochs, batch) = (of(&document["epochs"]), of(&document["batch_size"]));
    if epochs <= EPOCHS && batch <= BATCH {
        return false;
    }
    document["epochs"] = value(EPOCHS.min(epochs));
    make_batches(document, BATCH.min(batch));
    document["schedule"]["warmup_epochs"] = value(1);
    document["evaluation"]["every"] = value(1);
    document["checkpoints"]["every"] = value(1);
    let plugins = document.get_mut("plugins");
    for plugin in plugins
        .and_then(Item::as_array_of_tables_mut)
        .into_iter()
        .flat_map(|all| all.iter_mut())
    {
        plugin["every"] = value("1 epochs");
        plugin["points"] = value(250);
    }
    true
}

/// Makes batches small enough that `count` pictures, some of them held out, fill several; whether any was
/// changed.
fn fill_batches(document: &mut DocumentMut, count: usize) -> bool {
    let batch = document["batch_size"].as_integer().unwrap_or(0);
    let most = i64::try_from(count / 4).unwrap_or(i64::MAX);
    if batch <= most {
        return false;
    }
    // Powers of two, as batches most often are; fewer than two samples make none.
    make_batches(document, 1 << most.max(2).ilog2());
    true
}

/// Sets the size of batches, and the rate in proportion.
fn make_batches(document: &mut DocumentMut, size: i64) {
    let batch = document["batch_size"].as_integer().unwrap_or(size);
    document["batch_size"] = value(size);
    if let Some(peak) = document["schedule"]["peak"].as_float()
        && batch != size
    {
        // Digits of the quotient alone: 0.8 · 128 / 1024 is 0.1.
        document["schedule"]["peak"] = value(peak * size as f64 / batch as f64);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_that_are_no_folder_are_refused() {
        let registry = Registry::standard();
        for name in ["", ".hidden", "two words", "a/b"] {
            let refused = new_config(&registry, name, &NewOptions::default());
            assert!(matches!(refused, Err(RunError::New { .. })), "{name}");
        }
    }

    #[test]
    fn a_recipe_for_hours_is_cut_down_for_the_images_in_the_program() {
        let text = |data: &str| {
            let options = NewOptions {
                data: Some(data.to_owned()),
                objective: Some("byol".to_owned()),
                ..NewOptions::default()
            };
            new_config(&Registry::standard(), "mine", &options).unwrap()
        };
        let (small, whole) = (text("embedded"), text("cifar10"));
        assert!(
            small.contains("\nepochs = 5\n") && small.contains("\npeak = 0.1\n"),
            "{small}"
        );
        assert!(small.contains("fewer epochs, smaller batches"), "{small}");
        assert!(
            whole.contains("\nepochs = 600\n") && whole.contains("\npeak = 0.8\n"),
            "{whole}"
        );
        assert!(
            whole.contains("\ndir = \"data/cifar-10-batches-bin\"\n"),
            "{whole}"
        );
    }

    #[test]
    fn few_pictures_fill_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        for class in ["cat", "dog"] {
            let class = folder.path().join(class);
            std::fs::create_dir(&class).unwrap();
            for number in 0..60 {
                std::fs::write(class.join(format!("{number}.png")), "").unwrap();
            }
        }
        let options = NewOptions {
            data: Some(folder.path().to_string_lossy().into_owned()),
            objective: Some("byol".to_owned()),
            ..NewOptions::default()
        };
        let text = new_config(&Registry::standard(), "mine", &options).unwrap();
        // The peak is 0.8 for batches of 1024.
        assert!(
            text.contains("\nbatch_size = 16\n") && text.contains("\npeak = 0.0125\n"),
            "{text}"
        );
        assert!(text.contains("batches that your 120 pictures"), "{text}");
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        write_new(&path, "first").unwrap();
        assert!(write_new(&path, "second").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
    }
}
