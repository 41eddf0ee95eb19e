//! What the loop offers to plugins, known before it is there.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::{Host, RequestKind};

/// What a run described by a config offers to plugins, for checks before it starts.
pub fn host_of_runs(sites: Vec<afterimage_hooks::Site>, reference: bool) -> Host {
    Host {
        reference,
        missing_events: BTreeMap::new(),
        requests: BTreeSet::from([
            RequestKind::SetPlan,
            RequestKind::Mask,
            RequestKind::Compact,
            RequestKind::Freeze,
            RequestKind::Evaluate,
            RequestKind::Stop,
        ]),
        sites,
    }
}
