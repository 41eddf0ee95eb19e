//! A run as far as it is compared with others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use afterimage_files::{SMALL, read_below};
use afterimage_track::{Scalar, files, name_of, scalars_of};
use toml::Value;

use crate::error::RunError;
use crate::flat_config::flat;
use crate::found::Evidence;
use crate::resume::lost_since;
use crate::run_dir::RunDir;

/// A run as it is found on disk.
#[derive(Debug, Default, Clone)]
pub(super) struct One {
    /// What it is called on the page.
    pub(super) name: String,
    /// The last two folders of its directory.
    long: String,
    /// Its config by key.
    pub(super) settings: BTreeMap<String, Value>,
    /// In the order in which tags were first put on record.
    pub(super) scalars: Vec<Scalar>,
    /// `running`, or how it ended; none where no manifest says so.
    pub(super) outcome: Option<String>,
    /// The digest of its images.
    pub(super) data: Option<String>,
    /// Its held-out images, where they are known.
    pub(super) held_out: Option<usize>,
}

impl One {
    /// Reads the run in `dir`; what cannot be read of it goes to `faults`.
    ///
    /// # Errors
    /// A directory that is none of a run.
    pub(super) fn read(dir: &Path, faults: &mut Vec<String>) -> Result<Self, RunError> {
        RunDir::open(dir)?;
        let mut fault = |what: String| faults.push(format!("{}: {what}", dir.display()));
        let mut run = Self {
            long: name_of(dir),
            held_out: Evidence::of(dir).held_out(),
            ..Self::default()
        };
        match read_below(dir, files::CONFIG, SMALL) {
            Ok(bytes) => match toml::from_str(&String::from_utf8_lossy(&bytes)) {
                Ok(config) => run.settings = flat(&config),
                Err(error) => fault(format!("{}: {}", files::CONFIG, error.message())),
            },
            Err(error) => fault(error.to_string()),
        }
        match read_below(dir, files::MANIFEST, SMALL) {
            Ok(bytes) => match serde_json::from_slice::<serde_json::Value>(&bytes) {
                Ok(manifest) => {
                    let word = |key: &str| manifest[key].as_str().map(str::to_owned);
                    (run.outcome, run.data) = (word("outcome"), word("data_sha256"));
                }
                Err(error) => fault(format!("{}: {error}", files::MANIFEST)),
            },
            Err(error) if error.is_missing() => {}
            Err(error) => fault(error.to_string()),
        }
        match scalars_of(dir) {
            Ok(scalars) => run.scalars = scalars,
            Err(error) => fault(format!("its figures are not shown: {error}")),
        }
        // What went since the last checkpoint; a run at work is ahead of it and lacks nothing.
        match lost_since(dir) {
            Ok(lost) => lost
                .into_iter()
                .for_each(|part| fault(format!("a part is lost: {part}"))),
            Err(error) => fault(error.to_string()),
        }
        Ok(run)
    }

    /// Whether it came to its end, or was stopped on purpose: only such runs have a result that others can be held
    /// against, as only trials that are done have in a sweep.
    pub(super) fn is_done(&self) -> bool {
        let outcome = self.outcome.as_deref();
        outcome.is_some_and(|outcome| outcome == "completed" || outcome.starts_with("stopped"))
    }

    /// Why it is in no mean; none where it is done.
    pub(super) fn undone(&self) -> Option<String> {
        if self.is_done() {
            return None;
        }
        Some(match self.outcome.as_deref() {
            Some(outcome) if outcome == "diverged" || outcome.starts_with("failed") => {
                format!("not done ({outcome})")
            }
            _ => "not over (it is running, or was cut off)".to_owned(),
        })
    }

    /// The scalar of this tag.
    pub(super) fn scalar(&self, tag: &str) -> Option<&Scalar> {
        self.scalars.iter().find(|scalar| scalar.tag == tag)
    }

    /// The last step and epoch on record.
    pub(super) fn last(&self) -> Option<(u64, u32)> {
        let ends = self.scalars.iter().filter_map(|scalar| {
            let step = scalar.points.last()?.0;
            Some((step as u64, *scalar.epochs.last()?))
        });
        ends.max()
    }

    /// The seed of its config.
    pub(super) fn seed(&self) -> Option<i64> {
        self.settings.get("seed")?.as_integer()
    }

    /// Why the images of `other` are not those of this run; none where they are, as far as is known.
    pub(super) fn other_data(&self, other: &Self) -> Option<String> {
        if self.settings.is_empty() || other.settings.is_empty() {
            return None;
        }
        let keys: BTreeSet<&String> = self.settings.keys().chain(other.settings.keys()).collect();
        let differs = |key: &&String| {
            let of_data = key.starts_with("data.") || key.starts_with("limits.");
            of_data && self.settings.get(*key) != other.settings.get(*key)
        };
        if let Some(key) = keys.into_iter().find(differs) {
            return Some(format!("`{key}`"));
        }
        // Labels that are made wrong, and planted images, are part of the digest and hang on the seed.
        let alike = |prefix: &str| {
            let of = |run: &Self| -> Vec<(String, Value)> {
                let keys = run.settings.iter();
                keys.filter(|(key, _)| key.starts_with(prefix))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            };
            of(self).is_empty() && of(other).is_empty()
        };
        let same = alike("label_noise.") && alike("doses.");
        match (&self.data, &other.data) {
            (Some(a), Some(b)) if same && a != b => Some("`data_sha256`".to_owned()),
            _ => None,
        }
    }
}

/// Names the runs by their folders, with the folder above where they lie in several, and with a number where
/// that is not enough.
pub(super) fn tell_apart(runs: &mut [One]) {
    let split = |long: &str| match long.rsplit_once('/') {
        Some((above, name)) => (above.to_owned(), name.to_owned()),
        None => (String::new(), long.to_owned()),
    };
    let above: BTreeSet<String> = runs.iter().map(|run| split(&run.long).0).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        let name = match above.len() {
            1 => split(&run.long).1,
            _ => run.long.clone(),
        };
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        run.name = match *count {
            1 => name,
            again => format!("{name} ({again})"),
        };
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run that is over, with these lines of its config, and these scalars at epochs 0, 1, ….
    pub(in super::super) fn run(name: &str, config: &str, scalars: &[(&str, &[f64])]) -> One {
        let scalar = |(tag, values): &(&str, &[f64])| Scalar {
            tag: (*tag).to_owned(),
            points: values
                .iter()
                .enumerate()
                .map(|(at, value)| (10.0 * at as f64, *value))
                .collect(),
            epochs: (0..values.len() as u32).collect(),
        };
        One {
            name: name.to_owned(),
            long: format!("runs/{name}"),
            settings: flat(&toml::from_str(config).unwrap_or_default()),
            scalars: scalars.iter().map(scalar).collect(),
            outcome: Some("completed".to_owned()),
            data: None,
            held_out: None,
        }
    }

    #[test]
    fn runs_are_named_by_the_folders_that_tell_them_apart() {
        let names = |longs: &[&str]| {
            let mut runs: Vec<One> = longs
                .iter()
                .map(|long| One {
                    long: (*long).to_owned(),
                    ..One::default()
                })
                .collect();
            tell_apart(&mut runs);
            runs.into_iter().map(|run| run.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["q/1-ab", "q/2-cd"]), ["1-ab", "2-cd"]);
        assert_eq!(names(&["q/1-ab", "r/1-ab"]), ["q/1-ab", "r/1-ab"]);
        assert_eq!(names(&["q/1-ab", "q/1-ab"]), ["1-ab", "1-ab (2)"]);
    }

    #[test]
    fn other_data_is_told_by_keys_and_by_digest() {
        let a = run(
            "a",
            "[data]\nkind = \"embedded\"\n[limits]\ntrain = 10\n",
            &[],
        );
        let b = run(
            "b",
            "[data]\nkind = \"embedded\"\n[limits]\ntrain = 20\n",
            &[],
        );
        assert_eq!(a.other_data(&b).as_deref(), Some("`limits.train`"));
        assert_eq!(a.other_data(&a.clone()), None);
        let with = |digest: &str| One {
            data: Some(digest.to_owned()),
            ..a.clone()
        };
        assert_eq!(
            with("x").other_data(&with("y")).as_deref(),
            Some("`data_sha256`")
        );
        let noisy = run("n", "[label_noise]\nfraction = 0.1\n", &[]);
        let noisy = |digest: &str| One {
            data: Some(digest.to_owned()),
            ..noisy.clone()
        };
        assert_eq!(noisy("x").other_data(&noisy("y")), None);
    }
}
