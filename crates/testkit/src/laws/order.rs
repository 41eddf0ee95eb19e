//! The order of plugins by what they declare.

use afterimage::hooks::{HooksError, Manifest, order};

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::laws::state::saved;

/// Several errors, a line each.
pub(crate) fn told(errors: &[HooksError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Conformance {
    /// The plugins are ordered by what they declare, and provide what they say. Two of each run side by
    /// side under ids of their own, without effect if they are observers, or are refused as two that
    /// provide or write the same; two under one id are refused.
    ///
    /// # Errors
    /// A declaration that does not hold, and runs that do not end as they should.
    pub fn order_holds(&self) -> Result<Vec<String>, Broken> {
        let loaded = self.loaded(&self.tables())?;
        let host = self.host(&loaded)?;
        let manifests: Vec<Manifest> = self
            .attach(&loaded)?
            .iter()
            .map(|attached| attached.manifest().clone())
            .collect();
        let all: Vec<&Manifest> = manifests.iter().collect();
        order(&all, &host).map_err(|errors| Broken::Order(told(&errors)))?;
        self.provide_what_they_say()?;

        let mut notes = Vec::new();
        let mut twice = String::new();
        for (entry, own) in self.under_test.iter().zip(self.manifests()?) {
            let same: Vec<&Manifest> = manifests.iter().chain([&own]).collect();
            let refused = order(&same, &host).err().unwrap_or_default();
            if !refused
                .iter()
                .any(|e| matches!(e, HooksError::DuplicateId { .. }))
            {
                let what = format!("two plugins with the id {:?} are not refused", own.id);
                return Err(Broken::Order(what));
            }
            let second = Manifest {
                id: format!("{}-again", own.id),
                ..own
            };
            let both: Vec<&Manifest> = manifests.iter().chain([&second]).collect();
            let Err(errors) = order(&both, &host) else {
                twice.push_str(&entry.table_as(&second.id));
                continue;
            };
            let expected = |error: &HooksError| {
                let two = matches!(error, HooksError::TwoProducers { .. });
                two || matches!(error, HooksError::AmbiguousWriters { .. })
            };
            if !errors.iter().all(expected) {
                return Err(Broken::Order(told(&errors)));
            }
            notes.push(format!(
                "{}: two of it are refused: {}",
                entry.kind,
                told(&errors)
            ));
        }
        if !twice.is_empty() {
            self.run_twice(&twice)?;
        }
        Ok(notes)
    }

    fn run_twice(&self, second: &str) -> Result<(), Broken> {
        let text = self.config(&(self.tables() + second));
        let run = self.runs.run("twice", &text, self.code())?;
        match self.manifests()?.iter().any(Manifest::intervenes) {
            true => Ok(()),
            false => self.compare(&run, &format!("two of each of {}", self.names())),
        }
    }

    /// Every resource that is declared with `provides` is there in the middle of the run.
    fn provide_what_they_say(&self) -> Result<(), Broken> {
        let there = saved(&self.stopped()?.state)?;
        for manifest in self.manifests()? {
            let missing = manifest
                .provides
                .iter()
                .find(|name| !there.contains_key(**name));
            if let Some(name) = missing {
                return Err(Broken::Order(format!(
                    "plugin {:?} declares that it provides {name:?} and had not by step {}; call \
                     `cx.provide(…)`, or give it settings under which it does",
                    manifest.id,
                    self.stopped()?.step
                )));
            }
        }
        Ok(())
    }
}
