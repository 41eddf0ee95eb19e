//! The configs of the project, as beginnings of others.

use std::sync::LazyLock;

use toml_edit::{DocumentMut, Item, Table};

use crate::error::RunError;

/// A config of the project: which objective it trains with which encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Its file in the repository.
    pub file: &'static str,
    /// `kind` of its objective.
    pub objective: String,
    /// Its encoder, as `resnet9`, `resnet18` or `vit-tiny`.
    pub encoder: String,
    /// The text, with what the file extends.
    pub(super) text: String,
    /// Whether it is for the images in the program.
    pub(super) inside: bool,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$((concat!("configs/", $name, ".toml"), include_str!(concat!("../../../../configs/", $name, ".toml")))),*]
    };
}

/// In the order in which they are told; of an objective the first is its default.
const FILES: [(&str, &str); 18] = files![
    "simclr-resnet9-clothes",
    "simclr-resnet9-cifar10",
    "simclr-resnet18-cifar10",
    "simclr-resnet34-cifar10",
    "simclr-resnet50-cifar10",
    "simsiam-resnet18-cifar10",
    "vicreg-resnet18-cifar10",
    "barlow-twins-resnet18-cifar10",
    "byol-resnet18-cifar10",
    "dino-resnet18-cifar10",
    "dino-resnet9-cifar10",
    "dino-resnet34-cifar10",
    "dino-resnet50-cifar10",
    "dino-vit-tiny-cifar10",
    "dino-vit-base-cifar10",
    "mae-vit-tiny-cifar10",
    "mae-vit-base-cifar10",
    "supervised-resnet9-cifar10",
];

/// A pair of encoders on a few images, which no other images want.
const QUICKSTART: [(&str, &str); 1] = files!["quickstart"];

/// The recipe of the quickstart.
///
/// # Errors
/// None but for a config of the project that cannot be read.
pub(super) fn quickstart() -> Result<&'static Recipe, RunError> {
    static ONE: LazyLock<Option<Recipe>> = LazyLock::new(|| QUICKSTART.into_iter().find_map(read));
    ONE.as_ref().ok_or_else(|| RunError::New {
        what: QUICKSTART[0].0.to_owned(),
        reason: "it cannot be read".to_owned(),
    })
}

/// All recipes, in the order in which they are told.
pub fn recipes() -> &'static [Recipe] {
    static ALL: LazyLock<Vec<Recipe>> =
        LazyLock::new(|| FILES.into_iter().filter_map(read).collect());
    &ALL
}

fn read((file, text): (&'static str, &'static str)) -> Option<Recipe> {
    let text = whole(text)?.to_string();
    let table: toml::Table = text.parse().ok()?;
    let word = |section: &str, key: &str| table.get(section)?.get(key)?.as_str().map(str::to_owned);
    let number = |key: &str| table.get("encoder")?.get(key)?.as_integer();
    let kind = word("encoder", "kind")?;
    let encoder = match (word("encoder", "size"), number("depth")) {
        (Some(size), _) => format!("{kind}-{size}"),
        (None, Some(depth)) => format!("{kind}{depth}"),
        (None, None) => kind,
    };
    Some(Recipe {
        file,
        objective: word("objective", "kind")?,
        encoder,
        text,
        inside: word("data", "kind")? == "embedded",
    })
}

/// A config of the project with the one that it extends, which is another of them.
fn whole(text: &str) -> Option<DocumentMut> {
    let mut own: DocumentMut = text.parse().ok()?;
    let Some(base) = own.remove("extends") else {
        return Some(own);
    };
    let base = format!("configs/{}", base.as_str()?);
    let (_, base) = FILES.into_iter().find(|(file, _)| *file == base)?;
    let mut all = whole(base)?;
    lay_over(all.as_table_mut(), own.as_table());
    Some(all)
}

/// Keys of `over` in `table`, those of tables one by one, but for a table of another kind.
fn lay_over(table: &mut Table, over: &Table) {
    let kind = |of: &Table| of.get("kind").and_then(Item::as_str).map(str::to_owned);
    for (key, item) in over.iter() {
        match (table.get_mut(key), item) {
            (Some(Item::Table(inner)), Item::Table(item))
                if kind(item).is_none_or(|other| kind(inner) == Some(other)) =>
            {
                lay_over(inner, item);
            }
            (Some(inner), item) => *inner = item.clone(),
            (None, item) => {
                table.insert(key, item.clone());
            }
        }
    }
}

/// The recipe of an objective and an encoder, the first that fits where one is not told; `inside` says
/// whether it is for the images in the program.
///
/// # Errors
/// A pair that there is no recipe for.
pub(super) fn find(
    objective: Option<&str>,
    encoder: Option<&str>,
    inside: bool,
) -> Result<&'static Recipe, RunError> {
    let wanted = objective.map(|objective| objective.replace('-', "_"));
    let fits = |recipe: &&Recipe| {
        wanted
            .as_ref()
            .is_none_or(|wanted| *wanted == recipe.objective)
            && encoder.is_none_or(|encoder| encoder == recipe.encoder)
    };
    let fitting = || recipes().iter().filter(fits);
    // What is made for the images in the program goes before, and is for no others.
    let made_for = fitting().find(|recipe| inside && recipe.inside);
    if let Some(recipe) = made_for.or_else(|| fitting().find(|recipe| !recipe.inside)) {
        return Ok(recipe);
    }
    let mut pairs: Vec<String> = recipes()
        .iter()
        .map(|recipe| format!("{} with {}", recipe.objective, recipe.encoder))
        .collect();
    pairs.dedup();
    Err(RunError::New {
        what: match (objective, encoder) {
            (Some(objective), Some(encoder)) => format!("{objective} with {encoder}"),
            (one, other) => one.or(other).unwrap_or_default().to_owned(),
        },
        reason: format!("there is no recipe of it; there are {}", pairs.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_config_of_the_project_is_a_recipe() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("configs/{}", entry.unwrap().file_name().to_str().unwrap()))
            .filter(|name| name.ends_with(".toml"))
            .collect();
        let mut known: BTreeSet<String> = recipes().iter().map(|one| one.file.to_owned()).collect();
        assert_eq!(known.len(), FILES.len());
        known.insert(quickstart().unwrap().file.to_owned());
        assert_eq!(known, there);
    }

    #[test]
    fn what_is_not_told_is_the_first_that_fits() {
        let of = |objective, encoder, inside| find(objective, encoder, inside).map(|one| one.file);
        assert_eq!(
            of(None, None, true).unwrap(),
            "configs/simclr-resnet9-clothes.toml"
        );
        assert_eq!(
            of(None, None, false).unwrap(),
            "configs/simclr-resnet9-cifar10.toml"
        );
        assert_eq!(
            of(Some("dino"), Some("vit-tiny"), true).unwrap(),
            "configs/dino-vit-tiny-cifar10.toml"
        );
        assert_eq!(
            of(None, Some("vit-tiny"), false).unwrap(),
            "configs/dino-vit-tiny-cifar10.toml"
        );
        assert_eq!(
            of(Some("barlow-twins"), None, false).unwrap(),
            "configs/barlow-twins-resnet18-cifar10.toml"
        );
        let told = of(Some("mae"), Some("resnet9"), true)
            .unwrap_err()
            .to_string();
        assert!(
            told.starts_with(
                "mae with resnet9: there is no recipe of it; there are simclr with resnet9, simclr"
            ),
            "{told}"
        );
    }
}
