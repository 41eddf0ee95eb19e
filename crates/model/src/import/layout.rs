//! Which encoder stands in a state dict, and where.

use super::state_dict::StateDict;
use super::wrapping::unwrapped;
use super::{ImportOptions, Layout};
use crate::ModelError;

/// An encoder that was recognised.
pub(super) struct Found {
    pub(super) layout: Layout,
    /// With the dot, or empty.
    pub(super) prefix: String,
    pub(super) notes: Vec<String>,
}

/// Finds the one encoder of `state` that fits what `options` say.
pub(super) fn recognise(state: &StateDict, options: &ImportOptions) -> Result<Found, ModelError> {
    let failed = |reason: String| ModelError::Layout {
        path: state.path.clone(),
        reason,
    };
    let prefix = options.prefix.as_ref().map(|prefix| match prefix.as_str() {
        "" => String::new(),
        // Keys have lost the names of wrappers.
        prefix => match unwrapped(prefix.trim_end_matches('.')) {
            all if all.is_empty() => all,
            rest => format!("{rest}."),
        },
    });
    let mut found: Vec<(Layout, String)> = state
        .keys()
        .filter_map(place)
        .filter(|(layout, place)| {
            options.layout.is_none_or(|wanted| wanted == *layout)
                && prefix.as_ref().is_none_or(|wanted| wanted == place)
        })
        .filter(|(layout, place)| {
            *layout != Layout::ResNetSequence || state.has(&format!("{place}0.weight"))
        })
        .collect();
    found.sort();
    found.dedup();
    let mut notes = Vec::new();
    if let [(_, student), (_, teacher)] = found.as_slice()
        && student.contains("student")
        && student.replace("student", "teacher") == *teacher
    {
        notes.push(format!(
            "the file holds a student and a teacher; the teacher was taken, as its authors do; for \
             the student give the prefix {:?}",
            student.trim_end_matches('.')
        ));
        found.remove(0);
    }
    match found.as_slice() {
        [(layout, prefix)] => Ok(Found {
            layout: *layout,
            prefix: prefix.clone(),
            notes,
        }),
        [] => Err(failed(nothing(state, options))),
        several => {
            let places: Vec<String> = several
                .iter()
                .map(|(layout, prefix)| format!("{:?} ({layout})", prefix.trim_end_matches('.')))
                .collect();
            Err(ModelError::Several {
                path: state.path.clone(),
                places: places.join(", "),
            })
        }
    }
}

/// Layout and prefix of an encoder, if `key` is the one that its layout is known by.
fn place(key: &str) -> Option<(Layout, String)> {
    let before = |end: &str| {
        let prefix = key.strip_suffix(end)?;
        (prefix.is_empty() || prefix.ends_with('.')).then(|| prefix.to_owned())
    };
    if let Some(prefix) = before("layer1.0.conv1.weight") {
        return Some((Layout::ResNet, prefix));
    }
    if let Some(prefix) = before("blocks.0.attn.qkv.weight") {
        return Some((Layout::Vit, prefix));
    }
    let stage = key.strip_suffix(".0.conv1.weight")?;
    let (prefix, number) = match stage.rsplit_once('.') {
        Some((prefix, number)) => (format!("{prefix}."), number),
        None => (String::new(), stage),
    };
    number.parse::<usize>().ok()?;
    Some((Layout::ResNetSequence, prefix))
}

fn nothing(state: &StateDict, options: &ImportOptions) -> String {
    const SHOWN: usize = 8;
    let keys: Vec<&str> = state.keys().take(SHOWN).collect();
    let more = match state.keys().count() - keys.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let wanted = match (&options.layout, &options.prefix) {
        (None, None) => "an encoder of a known layout".to_owned(),
        (Some(layout), None) => format!("an encoder of layout {layout}"),
        (None, Some(prefix)) => format!("an encoder below {prefix:?}"),
        (Some(layout), Some(prefix)) => format!("an encoder of layout {layout} below {prefix:?}"),
    };
    format!(
        "{wanted} was not found. The layouts are known by keys that end in `layer1.0.conv1.weight` \
         (resnet), `4.0.conv1.weight` beside `0.weight` (resnet-sequence), and \
         `blocks.0.attn.qkv.weight` (vit); this file has {}{more}",
        keys.join(", ")
    )
}
