//! Reading a config file and the files that it extends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Value;

use super::error::{ConfigError, ConfigErrors};
use super::key::KeyPath;
use super::location::Location;
use super::source::{EXTENDS, Layer};
use super::suggest;

/// Reads the config at `path` and all that it extends, bases first.
///
/// `extends = "base.toml"` or `extends = ["base.toml", "other.toml"]` names files relative to the file that says it;
/// of several, the later wins over the earlier. A file that is reached by two ways counts once, where it was first
/// reached.
///
/// # Errors
/// Files that cannot be read or parsed, and files that extend themselves: all of them, base files first.
pub fn read_layers(path: &Path) -> Result<Vec<Layer>, ConfigErrors> {
    let mut chain = Chain::default();
    chain.visit(path, None);
    if chain.errors.is_empty() {
        Ok(chain.layers)
    } else {
        Err(ConfigErrors::new(chain.errors))
    }
}

/// Files that may extend each other one behind the other, and files in all.
const DEEPEST: usize = 32;
const MOST: usize = 256;

#[derive(Default)]
struct Chain {
    /// The files being read, from the one asked for to the present one: identity and name.
    open: Vec<(PathBuf, String)>,
    done: BTreeSet<PathBuf>,
    layers: Vec<Layer>,
    errors: Vec<ConfigError>,
    /// Whether more files were named than are read.
    full: bool,
}

impl Chain {
    fn visit(&mut self, path: &Path, said_at: Option<&Location>) {
        let name = path.display().to_string();
        if let (false, Some(location)) = (path.is_file(), said_at) {
            self.errors.push(self.missing(path, location));
            return;
        }
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let again = self.open.iter().position(|(open, _)| *open == identity);
        if let (Some(start), Some(location)) = (again, said_at) {
            let message = format!(
                "the files extend each other in a circle: {}",
                self.names(start, &name)
            );
            self.errors.push(location.error(&extends_key(), message));
            return;
        }
        if !self.done.insert(identity.clone()) {
            return;
        }
        if let (true, Some(location)) = (
            self.open.len() >= DEEPEST || self.done.len() > MOST,
            said_at,
        ) {
            // Once is enough: each further file would say the same.
            if !std::mem::replace(&mut self.full, true) {
                let message = format!(
                    "at most {DEEPEST} files can extend one another in a row, and {MOST} in all"
                );
                self.errors.push(location.error(&extends_key(), message));
            }
            return;
        }
        match Layer::read(path) {
            Err(errors) => self.errors.extend(errors),
            Ok(mut layer) => {
                self.open.push((identity, name));
                if let Some((value, location)) = layer.take_extends() {
                    self.follow(path, &value, &location);
                }
                self.open.pop();
                self.layers.push(layer);
            }
        }
    }

    fn follow(&mut self, path: &Path, value: &Value, location: &Location) {
        let folder = path.parent().unwrap_or(Path::new(""));
        let Some(bases) = base_names(value) else {
            let message = "expected a path in quotes or an array of them";
            self.errors.push(location.error(&extends_key(), message));
            return;
        };
        for base in bases {
            self.visit(&folder.join(base), Some(location));
        }
    }

    fn missing(&self, path: &Path, location: &Location) -> ConfigError {
        let what = if path.is_dir() {
            "is a directory, not a file"
        } else if path.exists() {
            "is no plain file, but a device or a pipe"
        } else if path.is_symlink() {
            "is a link to a file that does not exist"
        } else {
            "does not exist"
        };
        let name = path.display().to_string();
        let way = if self.open.len() > 1 {
            format!(" (reached by {})", self.names(0, &name))
        } else {
            String::new()
        };
        let mut error = location.error(&extends_key(), format!("{name} {what}{way}"));
        let given = path.file_name().unwrap_or_default().to_string_lossy();
        error.suggestion = suggest::nearest(&given, &neighbours(path))
            .map(|near| format!("did you mean `{near}`?"));
        error
    }

    /// The open files from `start` on, and the one that is reached from the last of them.
    fn names(&self, start: usize, last: &str) -> String {
        let open = self.open.iter().skip(start).map(|(_, name)| name.as_str());
        open.chain([last]).collect::<Vec<_>>().join(" -> ")
    }
}

fn extends_key() -> KeyPath {
    KeyPath::root().key(EXTENDS)
}

fn base_names(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The names of the other TOML files beside `path`, in order.
fn neighbours(path: &Path) -> Vec<String> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        // What is no plain file cannot have been meant.
        .filter(|entry| entry.path().is_file() && Some(&*entry.file_name()) != path.file_name())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    names
}
