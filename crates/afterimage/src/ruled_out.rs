//! Settings of plugins that the objective or the pair of a run rules out.

use afterimage_coreset::plugin::CoresetConfig;
use afterimage_value::DynamicsConfig;

use crate::config::Report;
use crate::experiment::Experiment;
use crate::points::settings;

/// Reports them at their keys. A config that is only read, as by `probe`, may have them: its run met them.
pub(crate) fn check(experiment: &Experiment, report: &mut Report<'_>) {
    let objective = &experiment.objective;
    let (classes, views) = (objective.has_classifier(), objective.views());
    let knows = report.knows("objective.kind");
    for (index, entry) in experiment.plugins.iter().enumerate() {
        let plugin = format!("plugins[{index}]");
        let problems = match entry.kind.as_str() {
            "coreset" => {
                let config: Option<CoresetConfig> = settings(entry);
                let asks = config.as_ref().is_some_and(|c| !c.asks_no_encoder());
                let paired = experiment.pair.is_some() && report.knows("pair");
                report.check(!(paired && asks), &plugin, || {
                    "in a run with `[pair]` a coreset is chosen without asking an encoder, by \
                     `memorization-alone` or `random` with `partition = \"none\"`: what one encoder tells \
                     would not be the other's; choose so, or remove the table `[pair]`"
                        .to_owned()
                });
                config.map(|config| config.ruled_out(classes, views))
            }
            "dynamics" => settings(entry).map(|config: DynamicsConfig| config.ruled_out(classes)),
            _ => None,
        };
        for (key, problem) in problems.filter(|_| knows).unwrap_or_default() {
            let key = format!("{plugin}.{key}");
            if report.knows(&key) {
                report.error(&key, problem);
            }
        }
    }
}
