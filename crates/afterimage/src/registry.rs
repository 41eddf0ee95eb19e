//! Plugins by name: an explicit list, to which a program can add its own.

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_hooks::{Attached, Manifest, Origin, Plugin};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{
    ConfigErrors, Files, KeyPath, Loaded, Locations, Report, load_file_with, load_whole_with,
    nearest, schema,
};
use crate::experiment::{Experiment, PluginEntry};
use crate::plugin_set;
use crate::ruled_out;
use crate::standard_kinds::standard_kinds;

type Make = Box<dyn Fn(&str, &toml::Table, &mut Report<'_>, &str) -> Option<Attached>>;

/// One kind of plugin.
pub struct PluginKind {
    name: &'static str,
    about: &'static str,
    defaults: String,
    manifest: Manifest,
    families: Option<&'static [&'static str]>,
    keys: fn() -> Vec<String>,
    schema: fn() -> Value,
    make: Make,
}

impl PluginKind {
    /// A kind called `name` with settings `C`; `check` names what is wrong with them by key, and
    /// `make` builds the plugin.
    pub fn new<C, P>(
        name: &'static str,
        about: &'static str,
        check: impl Fn(&C, &mut Report<'_>) + 'static,
        make: impl Fn(C) -> P + 'static,
    ) -> Self
    where
        C: Default + Serialize + DeserializeOwned,
        P: Plugin,
    {
        Self {
            name,
            about,
            defaults: below_plugins(&toml::to_string(&C::default()).unwrap_or_default()),
            manifest: Attached::new(name, name, make(C::default()))
                .manifest()
                .clone(),
            families: None,
            keys: schema::keys::<C>,
            schema: schema::of_defaults::<C>,
            make: Box::new(move |id, settings, report, key| {
                let config: C = report.decode(key, settings)?;
                report.within(key, |report| check(&config, report));
                Some(Attached::new(id, name, make(config)))
            }),
        }
    }

    /// The kind with what the type `C` of its settings says of them, which is more than their names and defaults:
    /// meaning, choices, ranges. `C` derives [`JsonSchema`](schemars::JsonSchema); its doc comments are shown.
    pub fn described<C: schemars::JsonSchema>(mut self) -> Self {
        self.schema = schema::of::<C>;
        self
    }

    /// Says what the names of its scalars begin with, before their first `/`: all of them. A sweep that is
    /// judged by a scalar that none of a trial's plugins has is then refused before it runs.
    pub fn reporting(mut self, families: &'static [&'static str]) -> Self {
        self.families = Some(families);
        self
    }

    /// What the names of its scalars begin with; `None` where it does not say.
    pub fn families(&self) -> Option<&'static [&'static str]> {
        self.families
    }

    /// The JSON schema of its settings, beyond what every plugin has.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// The keys of its settings, in the order of their type.
    pub fn keys(&self) -> Vec<String> {
        (self.keys)()
    }

    /// Name in configs.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in a sentence.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// What it declares with default settings.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Events, resources, fault policy, and keys with their defaults, for people.
    pub fn describe(&self) -> String {
        let Manifest {
            events,
            reads,
            reads_labels,
            reads_truth,
            oracle,
            provides,
            writes,
            requests,
            on_fault,
            exact,
            reference,
            ..
        } = &self.manifest;
        let list = |items: Vec<String>| {
            if items.is_empty() {
                "none".to_owned()
            } else {
                items.join(", ")
            }
        };
        let events = events
            .iter()
            .map(|(event, every)| format!("{event} ({every})"))
            .collect();
        let needs = reference
            .then(|| "a reference encoder (`[pair]`)".to_owned())
            .into_iter()
            .collect();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let effects = writes
            .iter()
            .map(|write| format!("writes {write}"))
            .chain(requests.iter().map(|request| format!("requests {request}")))
            .chain(exact.then(|| "computes convolutions directly".to_owned()))
            .collect();
        format!(
            "{}: {}\n\nevents:    {}\nreads:     {}\nlabels:    {}\nprovides:  {}\nneeds:     {}\n\
             effects:   {}\n\
             on fault:  {:?}\n\n[[plugins]]\nkind = \"{}\"\n{}",
            self.name,
            self.about,
            list(events),
            list(names(reads)),
            match (reads_labels, reads_truth, oracle) {
                (_, _, true) => "acts on the true ones: a control arm",
                (_, true, _) => "measures by the true ones",
                (true, ..) => "read",
                _ => "not seen",
            },
            list(names(provides)),
            list(needs),
            list(effects),
            on_fault,
            self.name,
            self.defaults,
        )
    }

    /// Its keys with their defaults, as TOML.
    pub fn defaults(&self) -> &str {
        &self.defaults
    }
}

/// The keys of a plugin as TOML below `[[plugins]]`: its tables are tables of the plugin.
fn below_plugins(keys: &str) -> String {
    let line = |line: &str| match line.strip_prefix("[[") {
        Some(rest) => format!("[[plugins.{rest}\n"),
        None => match line.strip_prefix('[') {
            Some(rest) => format!("[plugins.{rest}\n"),
            None => format!("{line}\n"),
        },
    };
    keys.lines().map(line).collect()
}

/// Kinds of plugins by name.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, PluginKind>,
}

impl Registry {
    /// Every plugin of the project.
    pub fn standard() -> Self {
        standard_kinds()
            .into_iter()
            .fold(Self::default(), Self::with)
    }

    /// Adds a kind.
    pub fn with(mut self, kind: PluginKind) -> Self {
        self.kinds.insert(kind.name, kind);
        self
    }

    /// Every kind, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &PluginKind> {
        self.kinds.values()
    }

    /// One kind.
    pub fn get(&self, name: &str) -> Option<&PluginKind> {
        self.kinds.get(name)
    }

    /// Names of all kinds.
    pub fn names(&self) -> Vec<String> {
        self.kinds.keys().map(|name| (*name).to_owned()).collect()
    }

    /// Loads the experiment at `path`, with the flags `sets` over it; its plugins are of these kinds.
    ///
    /// # Errors
    /// Every mistake in the files, the flags and the settings of plugins, and plugins that cannot run together.
    pub fn load(&self, path: &Path, sets: &[String]) -> Result<Loaded<Experiment>, ConfigErrors> {
        load_file_with(path, sets, |experiment: &Experiment, report| {
            self.check(experiment, report);
        })
    }

    /// As [`Registry::load`], of files that were read before.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn load_again(
        &self,
        files: &Files,
        sets: &[String],
    ) -> Result<Loaded<Experiment>, ConfigErrors> {
        files.load_with(sets, |experiment: &Experiment, report| {
            self.check(experiment, report);
        })
    }

    fn check(&self, experiment: &Experiment, report: &mut Report<'_>) {
        let locations = report.locations();
        let origin = |index| origin(locations, index);
        let attached = self.attach_each(&experiment.plugins, report, origin);
        plugin_set::check(self, experiment, &attached, report);
        ruled_out::check(experiment, report);
        experiment.tell_missing_folders(report);
    }

    /// Loads the experiment that a run keeps of itself at `path`, with the flags `sets` over it.
    ///
    /// # Errors
    /// As [`Registry::load`], and a file that extends another.
    pub fn load_kept(
        &self,
        path: &Path,
        sets: &[String],
    ) -> Result<Loaded<Experiment>, ConfigErrors> {
        load_whole_with(path, sets, |experiment: &Experiment, report| {
            self.attach(&experiment.plugins, report, |_| None);
        })
    }

    /// Makes the plugins of a config; mistakes go to `report`, at the keys `plugins[i]`.
    pub fn attach(
        &self,
        entries: &[PluginEntry],
        report: &mut Report<'_>,
        origin: impl Fn(usize) -> Option<Origin>,
    ) -> Vec<Attached> {
        let attached = self.attach_each(entries, report, origin);
        attached.into_iter().flatten().collect()
    }

    /// As [`attach`](Self::attach), one for each entry; `None` where the kind is unknown and spelled like no other.
    fn attach_each(
        &self,
        entries: &[PluginEntry],
        report: &mut Report<'_>,
        origin: impl Fn(usize) -> Option<Origin>,
    ) -> Vec<Option<Attached>> {
        let attach = |(index, entry): (usize, &PluginEntry)| {
            let key = format!("plugins[{index}]");
            let kind = self.kinds.get(entry.kind.as_str()).or_else(|| {
                let names = self.names();
                report.unknown_name(&format!("{key}.kind"), "plugin", &entry.kind, &names);
                nearest(&entry.kind, &names).and_then(|name| self.kinds.get(name))
            })?;
            let plugin = (kind.make)(entry.id(), &entry.settings, report, &key)?;
            let plugin = plugin.after(entry.after.iter().cloned());
            let plugin = match entry.on_fault {
                Some(policy) => plugin.on_fault(policy),
                None => plugin,
            };
            Some(match origin(index) {
                Some(origin) => plugin.from_origin(origin),
                None => plugin,
            })
        };
        entries.iter().enumerate().map(attach).collect()
    }
}

/// Where the plugin of this number was set, if it was in a file.
pub(crate) fn origin(locations: &Locations, index: usize) -> Option<Origin> {
    let at = locations.nearest(&KeyPath::root().key("plugins").index(index));
    at.line.map(|line| Origin {
        file: at.file.clone(),
        line: usize::try_from(line).unwrap_or_default(),
    })
}
