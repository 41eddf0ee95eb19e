//! Plugins of a config that cannot run together, told with the other mistakes, each at its plugin.

use afterimage_hooks::{Attached, HooksError, Manifest, RequestKind};
use afterimage_model::Encoder as _;
use burn::tensor::Device;

use crate::config::{Report, nearest};
use crate::experiment::Experiment;
use crate::registry::Registry;

/// Reports why the plugins of `experiment` cannot run together. `attached` holds one for each of its entries, `None`
/// where the kind is unknown; those with mistakes in their settings as far as they could be read.
pub(crate) fn check(
    registry: &Registry,
    experiment: &Experiment,
    attached: &[Option<Attached>],
    report: &mut Report<'_>,
) {
    let entries = experiment.plugins.iter();
    let manifests: Vec<Manifest> = attached
        .iter()
        .zip(entries)
        .map(|(attached, entry)| match attached {
            Some(attached) => attached.manifest().clone(),
            None => Manifest::new(entry.id(), &entry.kind),
        })
        .collect();
    let sites = sites(experiment, &manifests, report);
    let mut host = afterimage_train::host_of_runs(
        sites.clone().unwrap_or_default(),
        experiment.pair.is_some(),
    );
    if experiment.evaluation.every == 0 {
        host.requests.remove(&RequestKind::Evaluate);
    }
    let all: Vec<&Manifest> = manifests.iter().collect();
    let Err(errors) = afterimage_hooks::order(&all, &host) else {
        return;
    };
    let nobody_knows = attached.iter().any(Option::is_none);
    for error in errors {
        let named = error.plugin();
        let index = manifests
            .iter()
            .rposition(|manifest| named == Some(&manifest.named()));
        let follows = match &error {
            HooksError::MissingProducer { .. } => {
                nobody_knows || index.is_some_and(|i| unsure(experiment, i, report))
            }
            HooksError::NoReference { .. } | HooksError::OneOfAPair { .. } => !report.knows("pair"),
            HooksError::TapMatchesNothing { .. } => sites.is_none(),
            HooksError::UnsupportedRequest { .. } => !report.knows("evaluation"),
            _ => false,
        };
        if !follows {
            tell(registry, &error, index, &manifests, report);
        }
    }
}

/// Whether a choice of the plugin, such as a score, is not what its settings say: then it may read something else.
fn unsure(experiment: &Experiment, index: usize, report: &Report<'_>) -> bool {
    let settings = &experiment.plugins[index].settings;
    let mut choices = settings.iter().filter(|(_, value)| value.is_str());
    choices.any(|(key, _)| !report.knows(&format!("plugins[{index}].{key}")))
}

/// The sites of the encoder; `None` where they are not known, or no plugin asks for one.
fn sites(
    experiment: &Experiment,
    manifests: &[Manifest],
    report: &Report<'_>,
) -> Option<Vec<afterimage_hooks::Site>> {
    let asked = manifests.iter().any(|manifest| !manifest.taps.is_empty());
    let known = report.knows("encoder") && experiment.encoder.problems().is_empty();
    if !(asked && known) {
        return None;
    }
    let encoder = experiment.encoder.outline(&Device::flex()).ok()?;
    Some(encoder.sites())
}

fn tell(
    registry: &Registry,
    error: &HooksError,
    index: Option<usize>,
    manifests: &[Manifest],
    report: &mut Report<'_>,
) {
    let key = match (index, error) {
        (Some(index), HooksError::UnknownAfter { .. }) => format!("plugins[{index}].after"),
        (Some(index), _) => format!("plugins[{index}]"),
        (None, _) => "plugins".to_owned(),
    };
    let text = error.to_string();
    let message = text.as_str();
    match error {
        HooksError::MissingProducer { resource, .. } => {
            let (message, _) = message.rsplit_once("; ").unwrap_or((message, ""));
            report.suggest(&key, message, provider(registry, resource));
        }
        HooksError::UnknownAfter { after, .. } => {
            let ids: Vec<String> = manifests.iter().map(|m| m.id.clone()).collect();
            let near = nearest(after, &ids).map(|near| format!("did you mean {near:?}?"));
            report.suggest(&key, message, near);
        }
        _ => report.error(&key, message),
    }
}

/// Which plugin provides `resource`.
fn provider(registry: &Registry, resource: &str) -> Option<String> {
    let kinds = registry
        .kinds()
        .filter(|kind| kind.manifest().provides.contains(&resource));
    let names: Vec<String> = kinds.map(|kind| format!("{:?}", kind.name())).collect();
    match &names[..] {
        [] => None,
        [one] => Some(format!(
            "add a `[[plugins]]` with `kind = {one}`, which provides it"
        )),
        several => Some(format!(
            "add a `[[plugins]]` that provides it: one of the kinds {}",
            several.join(", ")
        )),
    }
}
