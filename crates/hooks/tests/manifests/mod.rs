//! Manifests of made-up plugins, and what the order says of them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use afterimage_hooks::{HooksError, Host, Manifest, Origin, Write, order};

pub fn plugin(id: &str, line: usize) -> Manifest {
    let origin = Origin {
        file: "run.toml".to_owned(),
        line,
    };
    Manifest {
        origin: Some(origin),
        ..Manifest::new(id, "test")
    }
}

pub trait Build: Sized {
    fn reads(self, names: &[&'static str]) -> Self;
    fn provides(self, names: &[&'static str]) -> Self;
    fn after(self, ids: &[&str]) -> Self;
    fn writes(self, write: Write) -> Self;
}

impl Build for Manifest {
    fn reads(mut self, names: &[&'static str]) -> Self {
        self.reads.extend(names);
        self
    }
    fn provides(mut self, names: &[&'static str]) -> Self {
        self.provides.extend(names);
        self
    }
    fn after(mut self, ids: &[&str]) -> Self {
        self.after.extend(ids.iter().map(|id| (*id).to_owned()));
        self
    }
    fn writes(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }
}

pub fn ids(manifests: &[Manifest]) -> Vec<String> {
    let refs: Vec<&Manifest> = manifests.iter().collect();
    let sorted = order(&refs, &Host::default()).unwrap_or_else(|e| panic!("{e:?}"));
    sorted.iter().map(|&i| manifests[i].id.clone()).collect()
}

pub fn errors_on(host: &Host, manifests: &[Manifest]) -> Vec<HooksError> {
    let refs: Vec<&Manifest> = manifests.iter().collect();
    match order(&refs, host) {
        Ok(sorted) => panic!("accepted in the order {sorted:?}"),
        Err(errors) => errors,
    }
}

/// The single message that this set of plugins is refused with.
pub fn message(manifests: &[Manifest]) -> String {
    message_on(&Host::default(), manifests)
}

pub fn message_on(host: &Host, manifests: &[Manifest]) -> String {
    let errors = errors_on(host, manifests);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}
