//! Typed values that one plugin provides and others read.

use std::any::Any;
use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::Fault;

/// A value passed between plugins. It is checkpointed by the engine, so that a reader finds it
/// after a resume although its provider ran before the kill.
pub trait Resource: Serialize + DeserializeOwned + Send + 'static {
    /// Name in manifests, messages and checkpoints.
    const NAME: &'static str;
}

type Encode = fn(&dyn Any) -> Result<Vec<u8>, Fault>;
type Decode = fn(&[u8]) -> Result<Box<dyn Any + Send>, Fault>;

/// How the engine keeps one type of resource without knowing it.
#[derive(Clone, Copy)]
pub(crate) struct ResourceType {
    pub(crate) name: &'static str,
    encode: Encode,
    decode: Decode,
}

impl ResourceType {
    pub(crate) fn of<R: Resource>() -> Self {
        Self {
            name: R::NAME,
            encode: encode::<R>,
            decode: decode::<R>,
        }
    }
}

fn encode<R: Resource>(value: &dyn Any) -> Result<Vec<u8>, Fault> {
    let value = value
        .downcast_ref::<R>()
        .ok_or_else(|| Fault::new(format!("two resource types are called {:?}", R::NAME)))?;
    postcard::to_stdvec(value)
        .map_err(|e| Fault::caused_by(format!("resource {:?} cannot be encoded", R::NAME), e))
}

fn decode<R: Resource>(bytes: &[u8]) -> Result<Box<dyn Any + Send>, Fault> {
    decode_as::<R>(bytes).map(|value| Box::new(value) as Box<dyn Any + Send>)
}

pub(crate) fn decode_as<R: Resource>(bytes: &[u8]) -> Result<R, Fault> {
    postcard::from_bytes(bytes)
        .map_err(|e| Fault::caused_by(format!("resource {:?} is damaged", R::NAME), e))
}

/// The resources of a run, by name.
#[derive(Default)]
pub struct Resources {
    types: BTreeMap<&'static str, ResourceType>,
    values: BTreeMap<&'static str, Box<dyn Any + Send>>,
}

impl Resources {
    pub(crate) fn know(&mut self, kind: ResourceType) {
        self.types.insert(kind.name, kind);
    }

    /// The current value, or `None` before its provider first ran.
    pub fn get<R: Resource>(&self) -> Option<&R> {
        self.values.get(R::NAME)?.downcast_ref()
    }

    /// Puts a value in place of the last one.
    pub fn put<R: Resource>(&mut self, value: R) {
        self.know(ResourceType::of::<R>());
        self.values.insert(R::NAME, Box::new(value));
    }

    /// Every value as bytes, by name.
    ///
    /// # Errors
    /// A value that cannot be serialised.
    pub fn state(&self) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        self.values
            .iter()
            .filter_map(|(name, value)| self.types.get(name).map(|kind| (name, value, kind)))
            .map(|(name, value, kind)| Ok(((*name).to_owned(), (kind.encode)(value.as_ref())?)))
            .collect()
    }

    /// Takes values back from a checkpoint.
    ///
    /// # Errors
    /// A name that no plugin of this run provides or reads, or damaged bytes.
    pub fn restore(&mut self, state: &BTreeMap<String, Vec<u8>>) -> Result<(), Fault> {
        for (name, bytes) in state {
            let kind = self.types.get(name.as_str()).copied().ok_or_else(|| {
                Fault::new(format!(
                    "the checkpoint holds resource {name:?}, which no plugin knows"
                ))
            })?;
            self.values.insert(kind.name, (kind.decode)(bytes)?);
        }
        Ok(())
    }
}
