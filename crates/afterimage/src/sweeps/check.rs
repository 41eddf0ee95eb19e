//! Trials checked as `afterimage check` does, what they share only once: there may be ten thousand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use afterimage_model::AnyEncoder;
use afterimage_sweep::Checked;
use afterimage_train::TrainError;
use burn::tensor::Device;

use super::forks::{self, Declared};
use super::of_file;
use crate::config::{ConfigErrors, Files, Loaded};
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::located::located;
use crate::pruned_groups;
use crate::registry::Registry;

/// What is known of trials that were checked.
pub(super) struct Checks<'a> {
    registry: &'a Registry,
    files: RefCell<BTreeMap<PathBuf, Rc<Files>>>,
    encoders: RefCell<BTreeMap<String, Rc<AnyEncoder>>>,
    /// What plugins declare, by all that it hangs on whether they can run together.
    declared: RefCell<BTreeMap<String, Rc<[Declared]>>>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        Self {
            registry,
            files: RefCell::default(),
            encoders: RefCell::default(),
            declared: RefCell::default(),
        }
    }

    /// Loads the experiment `base` with the flags `sets` over it, and checks what can be checked without
    /// its data; with `forks` says, too, up to when it is like others.
    pub(super) fn check(
        &self,
        base: &Path,
        sets: &[String],
        forks: bool,
    ) -> Result<Checked, ConfigErrors> {
        let known = self.files.borrow().get(base).cloned();
        let files = match known {
            Some(files) => files,
            None => {
                let files = Rc::new(Files::read(base)?);
                let mut all = self.files.borrow_mut();
                all.insert(base.to_owned(), Rc::clone(&files));
                files
            }
        };
        let loaded = self.registry.load_again(&files, sets)?;
        let of = &loaded.value;
        let shared = format!(
            "{:?}",
            (&of.encoder, &of.plugins, &of.pair, of.evaluation.every)
        );
        let known = self.declared.borrow().get(&shared).cloned();
        let declared = match known {
            Some(declared) => declared,
            None => {
                let together = self.together(&loaded);
                let together =
                    together.map_err(|error| match located(error, &loaded.locations) {
                        RunError::Config(errors) => errors,
                        other => of_file(base, other.to_string()).into(),
                    })?;
                let declared: Rc<[Declared]> = together.into();
                let mut all = self.declared.borrow_mut();
                all.insert(shared, Rc::clone(&declared));
                declared
            }
        };
        let shares = match forks {
            true => forks::shares(&loaded.resolved, &declared)
                .map_err(|why| ConfigErrors::from(of_file(base, why)))?,
            false => Vec::new(),
        };
        Ok(Checked {
            resolved: loaded.resolved,
            digest: loaded.digest,
            notes: loaded.notes,
            shares,
        })
    }

    /// Checks that encoder and plugins go together; gives what the plugins declare, in their order.
    fn together(&self, loaded: &Loaded<Experiment>) -> Result<Vec<Declared>, RunError> {
        let config = format!("{:?}", loaded.value.encoder);
        let known = self.encoders.borrow().get(&config).cloned();
        let encoder = match known {
            Some(encoder) => encoder,
            None => {
                // Names and sizes are looked at, and no parameter is drawn.
                let encoder = loaded.value.encoder.outline(&Device::flex());
                let encoder = Rc::new(encoder.map_err(TrainError::from)?);
                let mut all = self.encoders.borrow_mut();
                all.insert(config, Rc::clone(&encoder));
                encoder
            }
        };
        pruned_groups::check(loaded, &encoder)?;
        forks::declared(self.registry, loaded, &encoder)
    }
}
