//! The state that a plugin keeps across a kill and a resume.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::Fault;

/// A plugin's state as bytes, with the version of their layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PluginState {
    version: u32,
    bytes: Vec<u8>,
}

impl PluginState {
    /// The state of a plugin that keeps nothing.
    pub fn none() -> Self {
        Self {
            version: 0,
            bytes: Vec::new(),
        }
    }

    /// Encodes `value` under layout `version`; every float comes back to the bit, NaN included.
    ///
    /// # Errors
    /// A value that cannot be serialised, such as a map of unknown length.
    pub fn encode<T: Serialize>(version: u32, value: &T) -> Result<Self, Fault> {
        postcard::to_stdvec(value)
            .map(|bytes| Self { version, bytes })
            .map_err(|error| Fault::caused_by("the state cannot be encoded", error))
    }

    /// Decodes a value of layout `version`.
    ///
    /// # Errors
    /// Another version, or bytes that do not hold a `T`.
    pub fn decode<T: DeserializeOwned>(&self, version: u32) -> Result<T, Fault> {
        if self.version != version {
            return Err(Fault::new(format!(
                "the checkpoint holds state version {}, this program reads version {version}; \
                 resume with the program that wrote it",
                self.version
            )));
        }
        postcard::from_bytes(&self.bytes)
            .map_err(|error| Fault::caused_by("the state in the checkpoint is damaged", error))
    }

    /// Checks that a plugin that keeps nothing is not handed something.
    ///
    /// # Errors
    /// A state that is not empty.
    pub fn expect_none(&self) -> Result<(), Fault> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Fault::new(
                "the checkpoint holds state for a plugin that keeps none",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_back_to_the_bit() -> Result<(), Fault> {
        let values = vec![f64::NAN, f64::NEG_INFINITY, -0.0, 0.1, f64::MIN_POSITIVE];
        let back: Vec<f64> = PluginState::encode(3, &values)?.decode(3)?;
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&values), bits(&back));
        Ok(())
    }

    #[test]
    fn another_version_or_damage_is_refused() -> Result<(), Fault> {
        let state = PluginState::encode(1, &vec![1u64, 2])?;
        assert!(state.decode::<Vec<u64>>(2).is_err());
        assert!(state.expect_none().is_err());
        let torn = PluginState {
            version: 1,
            bytes: state.bytes[..1].to_vec(),
        };
        assert!(torn.decode::<Vec<u64>>(1).is_err());
        Ok(())
    }
}
