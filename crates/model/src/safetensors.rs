//! Writing safetensors, so that equal weights are equal files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::ModelError;

/// Values and shapes by key.
pub(crate) type Tensors = BTreeMap<String, (Vec<f32>, Vec<usize>)>;

/// Writes `tensors` to the new file `path`.
///
/// # Errors
/// A file that is there already, or cannot be written.
pub(crate) fn write(path: &Path, tensors: &Tensors) -> Result<(), ModelError> {
    let failed = |reason: String| ModelError::Unwritable {
        path: path.to_owned(),
        reason,
    };
    let bytes = encode(tensors).map_err(|error| failed(error.to_string()))?;
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.map_err(|error| failed(error.to_string()))
}

/// The length of a header in eight bytes, the header in JSON, the values.
fn encode(tensors: &Tensors) -> Result<Vec<u8>, serde_json::Error> {
    /// Values start at a multiple of it.
    const ALIGNED: usize = 8;
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
    let mut end = 0;
    for (key, (values, shape)) in tensors {
        let start = end;
        end += size_of_val(values.as_slice());
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        header.insert(key.clone(), entry);
    }
    let mut text = serde_json::to_string(&header)?;
    text.push_str(&" ".repeat(text.len().next_multiple_of(ALIGNED) - text.len()));
    let mut bytes = Vec::with_capacity(size_of::<u64>() + text.len() + end);
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    for (values, _) in tensors.values() {
        values
            .iter()
            .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    }
    Ok(bytes)
}
