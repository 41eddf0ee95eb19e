//! The page of a coreset: what was chosen beside chance, in words, on a map and in tables.

mod classes;
mod distances;
mod map;
mod tables;
mod words;

use std::path::Path;

use afterimage_coreset::read::Labels;
use afterimage_coreset::{Coreset, Points, RandomChoices, spread};
use afterimage_report::{Page, Section};

use distances::Distances;
use map::Map;

/// The name of the page beside the other results.
pub const PAGE: &str = "report.html";
/// Samples whose distances are looked at, at most.
const LOOKED_AT: usize = 1 << 16;
/// Letters of an id, and of a class, that are shown: 2,000 of both keep the page below 3 MB in any script.
const LETTERS: usize = 32;
/// Those of them that are its first; the last ones tell files apart.
const FIRST: usize = 8;

/// The samples of `samples` whose distances to a choice the page shows, in ascending order: all, or evenly spread
/// ones.
pub fn looked_at(samples: usize) -> Vec<usize> {
    spread(samples, LOOKED_AT)
}

/// A choice, with what is known of the samples beside it.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The file that the samples are from, by which the page is called.
    pub file: &'a Path,
    /// What was chosen by.
    pub strategy: &'a str,
    /// Where the samples lie. There is no map of gradients of which the factors alone are held.
    pub points: &'a Points<'a>,
    /// Classes that were chosen from apart.
    pub labels: Option<&'a Labels>,
    /// Whether clusters were chosen from apart.
    pub has_clusters: bool,
    /// A name of each sample; without, they go by their numbers.
    pub ids: Option<&'a [String]>,
    /// What was chosen.
    pub coreset: &'a Coreset,
    /// As many at random; none for strategies that are random themselves.
    pub at_random: Option<&'a RandomChoices>,
    /// The samples whose distances `at_random` has: those of [`looked_at`].
    pub looked_at: &'a [usize],
    /// What is to be known of chosen samples that are equal to one chosen before; empty without any.
    pub repeats: &'a str,
}

/// The page of a choice, and what is on its map.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoicePage {
    /// The file's text.
    pub html: String,
    /// The part of the variance along both axes of the map, in [0, 1].
    pub variance: [f64; 2],
    /// Chosen samples that are drawn.
    pub drawn_chosen: usize,
    /// Other samples that are drawn.
    pub drawn_others: usize,
}

/// Draws the page of `choice`.
pub fn page(choice: &Choice<'_>) -> ChoicePage {
    let map = Map::of(choice);
    let distances = Distances::of(choice);
    let name = choice.file.file_name().unwrap_or(choice.file.as_os_str());
    let title = format!("Coreset of {}", name.to_string_lossy());
    let html = Page::new(title)
        .live()
        .head(words::told(choice))
        .section(map.as_ref().map_or_else(no_map, Map::section))
        .section(distances.section(choice))
        .section(classes::section(choice, &distances))
        .section(tables::heaviest(choice))
        .section(tables::repeats(choice))
        .html();
    ChoicePage {
        html,
        variance: map.as_ref().map_or([0.0; 2], Map::variance),
        drawn_chosen: map.as_ref().map_or(0, Map::chosen),
        drawn_others: map.as_ref().map_or(0, Map::others),
    }
}

/// A section that is not shown.
fn no_map() -> Section {
    Section::new("Map")
}

impl Choice<'_> {
    /// What a sample is called.
    fn name(&self, sample: usize) -> String {
        match self.ids {
            Some(ids) => cut(&ids[sample]),
            None => format!("sample {sample}"),
        }
    }

    /// The class of a sample, where there are classes.
    fn class(&self, sample: usize) -> Option<&str> {
        let labels = self.labels?;
        Some(labels.names[labels.classes[sample] as usize].as_str())
    }

    /// What a sample's nearest chosen one shares with it.
    fn of_group(&self) -> &'static str {
        match (self.labels, self.has_clusters) {
            (Some(_), _) => " of their class",
            (None, true) => " of their cluster",
            (None, false) => "",
        }
    }
}

/// Both ends of a name that is too long for its place.
fn cut(name: &str) -> String {
    let count = name.chars().count();
    if count <= LETTERS {
        return name.to_owned();
    }
    let end = name.chars().skip(count - (LETTERS - FIRST - 1));
    name.chars().take(FIRST).chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_both_ends() {
        let path = "train/n01440764/n01440764_10026.JPEG";
        assert_eq!(cut(path), "train/n0…64/n01440764_10026.JPEG");
        assert_eq!(cut(path).chars().count(), LETTERS);
        assert_eq!(
            cut("images/of-32-letters-0123456.png"),
            "images/of-32-letters-0123456.png"
        );
    }
}
