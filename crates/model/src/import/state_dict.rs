//! The tensors of a file by key.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use afterimage_files::open_input;
use burn_store::burn_pack::Tensor as Stored;
use burn_store::{ModuleStore as _, PytorchStore, SafetensorsStore};

use super::kind::other_kind;
use super::wrapping::plain;
use crate::ModelError;

/// A state dict with the tensors that count: counters of batches are left out.
pub(super) struct StateDict {
    pub(super) path: PathBuf,
    tensors: BTreeMap<String, Stored>,
}

impl StateDict {
    /// Reads the keys and shapes of a safetensors file or of one that `torch.save` wrote; the values
    /// are read when they are used.
    ///
    /// Keys of tables within tables are joined by dots, and the names of wrappers left out.
    ///
    /// # Errors
    /// A file that is missing, truncated, of another kind, or without tensors.
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let unreadable = |reason: String| ModelError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        if let Some(what) = other_kind(path).map_err(|error| unreadable(error.to_string()))? {
            return Err(unreadable(what.to_owned()));
        }
        let tensors = if is_safetensors(path).map_err(|error| unreadable(error.to_string()))? {
            let mut store = SafetensorsStore::from_file(path).map_indices_contiguous(false);
            let tensors = store.get_all_tensors();
            tensors
                .map_err(|error| unreadable(error.to_string()))?
                .clone()
        } else {
            let mut store = PytorchStore::from_file(path).map_indices_contiguous(false);
            let tensors = store.get_all_tensors();
            tensors
                .map_err(|error| unreadable(error.to_string()))?
                .clone()
        };
        let tensors: BTreeMap<String, Stored> = tensors
            .into_iter()
            .filter(|(key, _)| !key.ends_with("num_batches_tracked"))
            .collect();
        if tensors.is_empty() {
            return Err(unreadable("it holds no tensors".to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
            tensors: plain(tensors).map_err(unreadable)?,
        })
    }

    /// All keys in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether a key begins with `start`.
    pub(super) fn has(&self, start: &str) -> bool {
        let mut from = self.tensors.range(start.to_owned()..);
        from.next().is_some_and(|(key, _)| key.starts_with(start))
    }

    /// The shape of the tensor at `key`.
    pub(super) fn shape(&self, key: &str) -> Option<Vec<usize>> {
        self.tensors.get(key).map(|tensor| tensor.shape.to_vec())
    }

    /// The tensors at `keys`, by the names that they have in the file.
    pub(super) fn named<'a>(
        &'a self,
        keys: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = &'a Stored> {
        keys.filter_map(|key| self.tensors.get(key))
    }

    /// The tensors of `wanted`, pairs of a new name and a key, under their new names.
    pub(super) fn tensors(&self, wanted: Vec<(String, String)>) -> Vec<Stored> {
        let renamed = wanted.into_iter().filter_map(|(name, key)| {
            let mut tensor = self.tensors.get(&key)?.clone();
            tensor.name = name;
            Some(tensor)
        });
        renamed.collect()
    }
}

/// Whether a file starts as safetensors do: the length of a header in eight bytes, then JSON.
fn is_safetensors(path: &Path) -> std::io::Result<bool> {
    const START: usize = 9;
    let file = open_input(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::with_capacity(START);
    file.take(START as u64).read_to_end(&mut start)?;
    let Some((header, [b'{'])) = start.split_first_chunk::<8>() else {
        return Ok(false);
    };
    // A length beyond the file is a truncated one, if the name says what it is.
    let named = path.extension().is_some_and(|kind| kind == "safetensors");
    Ok(named || u64::from_le_bytes(*header) < length)
}
