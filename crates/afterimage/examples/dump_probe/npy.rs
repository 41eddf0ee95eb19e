//! Arrays in NumPy's format.

use std::fs;
use std::io;
use std::path::Path;

/// Writes `values` in row-major order with `shape`.
///
/// Source: NEP 1, version 1.0 of the format.
pub fn write(path: &Path, shape: &[usize], values: &[f32]) -> io::Result<()> {
    let shape: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take ten bytes; the data starts at a multiple of 64.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    fs::write(path, bytes)
}
