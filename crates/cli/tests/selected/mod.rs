//! `afterimage select` on small inputs.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use super::run::{Ended, Place, afterimage, finish};

/// Two groups on a line, as CSV.
pub const LINE: &str = "x\n0\n1\n9\n10\n11\n";

/// Runs the command with `out` as its folder.
pub fn select(place: &Place, input: &Path, arguments: &[&str]) -> Ended {
    let mut command = afterimage();
    command
        .arg("select")
        .arg(input)
        .arg("--out")
        .arg(place.path("out"));
    finish(command.args(arguments))
}

/// Runs the command with `out` as its folder, in place of that of an earlier run.
pub fn anew(place: &Place, arguments: &[&str]) -> Ended {
    let out = place.path("out");
    let _ = fs::remove_dir_all(&out);
    let mut command = afterimage();
    finish(command.arg("select").args(arguments).arg("--out").arg(out))
}

/// The coreset as CSV.
pub fn csv(place: &Place) -> String {
    fs::read_to_string(place.path("out").join("coreset.csv")).unwrap()
}

/// An npy file of f32.
pub fn npy(place: &Place, name: &str, shape: &str, values: &[f32]) -> PathBuf {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    values.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    let path = place.path(name);
    fs::write(&path, bytes).unwrap();
    path
}
