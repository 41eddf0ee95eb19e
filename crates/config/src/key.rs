//! The path of a key in a config: `plugins[0].every`.

use std::fmt;
use std::str::FromStr;

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// An element of an array, counted from 0.
    Index(usize),
}

/// Where a value stands in a config: keys and array positions from the root; the empty path is the root itself.
///
/// Written with dots and brackets; a key that TOML would have to quote is quoted.
///
/// # Examples
/// ```
/// use afterimage_config::KeyPath;
/// let path: KeyPath = "plugins[0].every".parse()?;
/// assert_eq!(path.to_string(), "plugins[0].every");
/// assert_eq!(path.parent().map(|p| p.to_string()), Some("plugins[0]".to_owned()));
/// # Ok::<(), afterimage_config::KeyPathError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// The path of the config itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of `name` in this table.
    #[must_use]
    pub fn key(&self, name: impl Into<String>) -> Self {
        self.with(Segment::Key(name.into()))
    }

    /// The path of element `index` (from 0) of this array.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// This path and one more step.
    #[must_use]
    pub fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// This path followed by all steps of `rest`.
    #[must_use]
    pub fn join(&self, rest: &KeyPath) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// The path of the table or array that holds this value; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, front) = self.0.split_last()?;
        Some(Self(front.to_vec()))
    }

    /// The last step; `None` for the root.
    pub fn last(&self) -> Option<&Segment> {
        self.0.last()
    }

    /// The last step when it is a key.
    pub fn name(&self) -> Option<&str> {
        match self.0.last()? {
            Segment::Key(name) => Some(name),
            Segment::Index(_) => None,
        }
    }

    /// All steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is `other` or a place inside `other`.
    pub fn is_within(&self, other: &KeyPath) -> bool {
        self.0.starts_with(&other.0)
    }

    /// This path with `from`, which it begins with, replaced by `to`; `None` where it does not begin so.
    pub(super) fn rebased(&self, from: &KeyPath, to: &KeyPath) -> Option<Self> {
        let rest = self.0.strip_prefix(&from.0[..])?;
        Some(Self(to.0.iter().chain(rest).cloned().collect()))
    }

    /// The path with the position at step `depth` counted one higher.
    pub(super) fn shifted(&self, depth: usize) -> Self {
        let mut segments = self.0.clone();
        if let Some(Segment::Index(index)) = segments.get_mut(depth) {
            *index += 1;
        }
        Self(segments)
    }
}

impl FromIterator<Segment> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(name) => {
                    if i > 0 {
                        f.write_str(".")?;
                    }
                    if is_bare(name) {
                        f.write_str(name)?
                    } else {
                        write!(f, "{name:?}")?
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether TOML takes `name` as a key without quotes.
fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_bare_char)
}

fn is_bare_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// A text that is no key path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key; write `a.b`, `a[0].b`, or quote a part with other characters: `a.\"b c\"`"
)]
pub struct KeyPathError(String);

impl FromStr for KeyPath {
    type Err = KeyPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || KeyPathError(text.to_owned());
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = read_key(rest).ok_or_else(error)?;
            segments.push(Segment::Key(name));
            rest = after;
            while let Some(inside) = rest.strip_prefix('[') {
                let (index, after) = inside.split_once(']').ok_or_else(error)?;
                segments.push(Segment::Index(index.parse().map_err(|_| error())?));
                rest = after;
            }
            if rest.is_empty() {
                return Ok(Self(segments));
            }
            rest = rest.strip_prefix('.').ok_or_else(error)?;
        }
    }
}

/// One bare or quoted key at the start of `text`, and what follows it.
fn read_key(text: &str) -> Option<(String, &str)> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let (name, after) = inside.split_once(quote)?;
            return Some((name.to_owned(), after));
        }
    }
    let end = text.find(|c| !is_bare_char(c)).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a..b", "a[", "a[x]", "a]", "[0]", "a b", "a.\"b", "a[0]b",
        ] {
            assert!(text.parse::<KeyPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn within_means_the_same_or_below() -> Result<(), KeyPathError> {
        let table: KeyPath = "plugins[0]".parse()?;
        assert!("plugins[0].every".parse::<KeyPath>()?.is_within(&table));
        assert!(table.is_within(&table));
        assert!(
            !"plugins[01]x"
                .parse::<KeyPath>()
                .is_ok_and(|p| p.is_within(&table))
        );
        assert!(!"plugins[1].every".parse::<KeyPath>()?.is_within(&table));
        Ok(())
    }

    fn segment() -> impl Strategy<Value = Segment> {
        prop_oneof![
            "[a-zA-Z0-9_ .é-]{0,6}".prop_map(Segment::Key),
            (0usize..40).prop_map(Segment::Index)
        ]
    }

    proptest! {
        #[test]
        fn text_goes_round(first in "[a-z]{1,4}", rest in prop::collection::vec(segment(), 0..5)) {
            let path: KeyPath = std::iter::once(Segment::Key(first)).chain(rest).collect();
            prop_assert_eq!(path.to_string().parse::<KeyPath>(), Ok(path));
        }
    }
}
