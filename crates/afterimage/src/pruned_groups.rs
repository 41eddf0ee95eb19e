//! Whether the fractions by site of a run's pruners fit its encoder.

use afterimage_hooks::UnitGroup;
use afterimage_model::compact::structure;
use afterimage_model::{AnyEncoder, Encoder as _};
use afterimage_prune::PruneConfig;

use crate::config::{ConfigErrors, KeyPath, Loaded};
use crate::experiment::Experiment;

/// Every mistake in the `fractions` of the pruners of a run on `encoder`, at its line.
pub(crate) fn check(loaded: &Loaded<Experiment>, encoder: &AnyEncoder) -> Result<(), ConfigErrors> {
    let mut report = loaded.locations.report();
    let prunes = loaded.value.plugins.iter().enumerate();
    for (index, entry) in prunes.filter(|(_, entry)| entry.kind == "prune") {
        // What is no config of it has been reported as such.
        let Ok(config) = entry.settings.clone().try_into::<PruneConfig>() else {
            continue;
        };
        if config.fractions.is_empty() {
            continue;
        }
        let groups = structure(&encoder.groups(), &[], &[]).groups;
        let groups = config.groups_of(&groups, &encoder.sites());
        let table = KeyPath::root().key("plugins").index(index).key("fractions");
        for fault in config.misfits(&groups) {
            let key = table.key(&fault.pattern).to_string();
            if fault.unknown {
                report.unknown_name(&key, "group or site", &fault.pattern, &names(&groups));
            } else {
                report.error(&key, fault.message);
            }
        }
    }
    report.finish()
}

/// Names of the groups.
fn names(groups: &[UnitGroup]) -> Vec<String> {
    groups.iter().map(|group| group.name.clone()).collect()
}
