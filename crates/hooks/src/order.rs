//! The order of plugins: topological over resources and `after`, fixed before step 0.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::HooksError;
use crate::event::EventKind;
use crate::manifest::{Manifest, Write};
use crate::request::RequestKind;
use crate::site::Site;

/// What the host of a run offers to plugins.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Events that do not happen here, with what the user can do about it.
    pub missing_events: BTreeMap<EventKind, String>,
    /// Requests that can be applied.
    pub requests: BTreeSet<RequestKind>,
    /// Sites of the model.
    pub sites: Vec<Site>,
    /// Whether a reference encoder is trained in lock step.
    pub reference: bool,
}

/// Sorts `manifests` (given in the order of the config) into the order of dispatch: providers
/// before readers, `after` obeyed, else the order of the config.
///
/// # Errors
/// Everything that is wrong, all at once.
pub fn order(manifests: &[&Manifest], host: &Host) -> Result<Vec<usize>, Vec<HooksError>> {
    let mut errors = Vec::new();
    check_ids(manifests, &mut errors);
    check_host(manifests, host, &mut errors);
    check_views(manifests, &mut errors);
    let edges = edges(manifests, &mut errors);
    let sorted = sort(manifests, &edges, &mut errors);
    check_writers(manifests, &edges, &mut errors);
    if errors.is_empty() {
        Ok(sorted)
    } else {
        Err(errors)
    }
}

/// `edges[i]` holds, for each plugin that `i` waits for, why.
type Edges = Vec<BTreeMap<usize, String>>;

fn check_ids(manifests: &[&Manifest], errors: &mut Vec<HooksError>) {
    let mut seen: BTreeMap<&str, &Manifest> = BTreeMap::new();
    for manifest in manifests {
        if let Some(first) = seen.insert(&manifest.id, manifest) {
            errors.push(HooksError::DuplicateId {
                first: first.named(),
                second: manifest.named(),
            });
        }
    }
}

fn check_host(manifests: &[&Manifest], host: &Host, errors: &mut Vec<HooksError>) {
    for manifest in manifests {
        for (event, _) in &manifest.events {
            if let Some(why) = host.missing_events.get(event) {
                errors.push(HooksError::UnsupportedEvent {
                    plugin: manifest.named(),
                    event: *event,
                    why: why.clone(),
                });
            }
        }
        for request in manifest
            .requests
            .iter()
            .filter(|r| !host.requests.contains(r))
        {
            errors.push(HooksError::UnsupportedRequest {
                plugin: manifest.named(),
                request: *request,
            });
        }
        if manifest.reads_truth && acts(manifest) && !manifest.oracle {
            errors.push(HooksError::ActsOnTruth {
                plugin: manifest.named(),
            });
        }
        if manifest.reference && !host.reference {
            errors.push(HooksError::NoReference {
                plugin: manifest.named(),
            });
        }
        if host.reference {
            let reach = |write: &&Write| **write != Write::LossWeights;
            for write in manifest.writes.iter().filter(reach) {
                errors.push(HooksError::OneOfAPair {
                    plugin: manifest.named(),
                    write: *write,
                });
            }
        }
        for tap in &manifest.taps {
            if !host.sites.iter().any(|site| tap.matches(site)) {
                errors.push(HooksError::TapMatchesNothing {
                    plugin: manifest.named(),
                    pattern: tap.pattern.clone(),
                    sites: host
                        .sites
                        .iter()
                        .map(|s| s.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                });
            }
        }
    }
}

fn check_views(manifests: &[&Manifest], errors: &mut Vec<HooksError>) {
    let writers = manifests
        .iter()
        .filter(|m| m.writes.contains(&Write::Views));
    for writer in writers {
        for manifest in manifests.iter().filter(|m| m.id != writer.id) {
            if let Some(advice) = manifest.whole_views {
                errors.push(HooksError::MixedViews {
                    plugin: manifest.named(),
                    writer: writer.named(),
                    advice,
                });
            }
        }
    }
}

/// Whether the run may depend on the plugin, also through others.
fn acts(manifest: &Manifest) -> bool {
    manifest.intervenes() || !manifest.provides.is_empty()
}

fn edges(manifests: &[&Manifest], errors: &mut Vec<HooksError>) -> Edges {
    let mut providers: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (index, manifest) in manifests.iter().enumerate() {
        for resource in &manifest.provides {
            if let Some(first) = providers.insert(resource, index) {
                errors.push(HooksError::TwoProducers {
                    first: manifests[first].named(),
                    second: manifest.named(),
                    resource,
                });
            }
        }
    }
    let mut edges: Edges = vec![BTreeMap::new(); manifests.len()];
    for (index, manifest) in manifests.iter().enumerate() {
        for resource in &manifest.reads {
            match providers.get(resource) {
                Some(&provider) if provider != index => {
                    let knows = manifests[provider].reads_truth || manifests[provider].oracle;
                    if knows && acts(manifest) && !manifest.oracle {
                        errors.push(HooksError::ActsOnOracle {
                            plugin: manifest.named(),
                            provider: manifests[provider].named(),
                            resource,
                        });
                    }
                    edges[index].insert(provider, format!("reads {resource:?} of"));
                }
                Some(_) => {}
                None => errors.push(HooksError::MissingProducer {
                    plugin: manifest.named(),
                    resource,
                }),
            }
        }
        for after in &manifest.after {
            match manifests.iter().position(|m| m.id == *after) {
                Some(other) => {
                    edges[index]
                        .entry(other)
                        .or_insert_with(|| "is to come after".to_owned());
                }
                None => errors.push(HooksError::UnknownAfter {
                    plugin: manifest.named(),
                    after: after.clone(),
                    hint: format!(
                        "; attached are: {}",
                        manifests
                            .iter()
                            .map(|m| m.id.as_str())
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                }),
            }
        }
    }
    edges
}

fn sort(manifests: &[&Manifest], edges: &Edges, errors: &mut Vec<HooksError>) -> Vec<usize> {
    let mut sorted: Vec<usize> = Vec::with_capacity(manifests.len());
    let mut placed = vec![false; manifests.len()];
    while sorted.len() < manifests.len() {
        let ready = (0..manifests.len())
            .find(|&i| !placed[i] && edges[i].keys().all(|&before| placed[before]));
        let Some(next) = ready else {
            errors.push(HooksError::Cycle {
                chain: cycle(manifests, edges, &placed),
            });
            break;
        };
        placed[next] = true;
        sorted.push(next);
    }
    sorted
}

/// Follows unplaced plugins until one comes again; every unplaced one waits for another.
fn cycle(manifests: &[&Manifest], edges: &Edges, placed: &[bool]) -> String {
    let mut path: Vec<usize> = placed.iter().position(|p| !p).into_iter().collect();
    let mut chain = Vec::new();
    while let Some(&at) = path.last() {
        let Some((&next, why)) = edges[at].iter().find(|(before, _)| !placed[**before]) else {
            break;
        };
        chain.push(format!(
            "{} {why} {}",
            manifests[at].named(),
            manifests[next].named()
        ));
        if let Some(start) = path.iter().position(|&p| p == next) {
            return chain.split_off(start).join(", ");
        }
        path.push(next);
    }
    chain.join(", ")
}

fn check_writers(manifests: &[&Manifest], edges: &Edges, errors: &mut Vec<HooksError>) {
    for (late, manifest) in manifests.iter().enumerate() {
        for (early, other) in manifests.iter().enumerate().take(late) {
            if waits_for(edges, late, early) || waits_for(edges, early, late) {
                continue;
            }
            for write in manifest.writes.iter().filter(|w| other.writes.contains(w)) {
                errors.push(HooksError::AmbiguousWriters {
                    first: other.named(),
                    first_id: other.id.clone(),
                    second: manifest.named(),
                    write: *write,
                });
            }
        }
    }
}

fn waits_for(edges: &Edges, from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(edges[at].keys());
        }
    }
    false
}
