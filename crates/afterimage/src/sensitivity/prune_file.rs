//! A proposal as a config of the plugin `prune`.

use afterimage_memory::UnitMemConfig;
use afterimage_prune::Score;

use super::Sensitivity;
use super::arm::word;
use super::proposal::Proposal;
use super::table::spread;
use crate::toml_comment::wrapped;

/// The columns that comments are broken at.
const COLUMNS: usize = 96;

/// The tables `[[plugins]]` that prune as `proposal` says, with what is known of it in comments.
pub(super) fn text(found: &Sensitivity, proposal: &Proposal, unitmem: &UnitMemConfig) -> String {
    let (score, direction) = proposal.way;
    let mut text = comment(&format!(
        "Proposed by `afterimage sensitivity` for {}, kNN {:.3} on {} held-out images. {}",
        found.encoder,
        found.whole.figures.knn,
        found.images.1,
        proposal.summary()
    ));
    text += &comment(
        "Copy these tables into a config, or lay this file over one: extends = [\"CONFIG.toml\", \"THIS \
         FILE\"], which replaces the plugins of CONFIG.toml. With fine_tune.from the run goes on from the \
         encoder that was studied.",
    );
    text += &format!("\n[[plugins]]\nkind = \"{}\"\n", score.provider());
    if matches!(score, Score::Unitmem | Score::UnitmemExcess) {
        text += &toml::to_string(unitmem).unwrap_or_default();
    }
    text += &format!(
        "\n[[plugins]]\nkind = \"prune\"\nscore = \"{}\"\ndirection = \"{}\"\n",
        score.word(),
        word(direction)
    );
    if !proposal.protect.is_empty() {
        let protect: Vec<String> = proposal.protect.iter().map(|n| format!("{n:?}")).collect();
        text += &format!("protect = [{}]\n", protect.join(", "));
    }
    text += "schedule = { kind = \"one_shot\", epoch = 1 }\n\n[plugins.fractions]\n";
    text += &comment(
        "kNN lost without these units alone ± standard error over held-out images; random units in the \
         same number, mean ± deviation over draws",
    );
    for site in &proposal.sites {
        text += &format!(
            "{:?} = {} # {} of {} units: {:.3} ± {:.3}; random {}\n",
            site.name,
            toml::Value::from(site.fraction),
            site.gone,
            site.units,
            site.lost.0,
            site.lost.1,
            spread(site.random)
        );
    }
    text
}

fn comment(words: &str) -> String {
    wrapped(words, COLUMNS)
}
