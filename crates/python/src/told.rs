//! Errors as Python's users read them.

use std::io;

use afterimage::coreset::CoresetError;
use afterimage::value::ValueError;
use pyo3::PyErr;
use pyo3::exceptions::{
    PyFileNotFoundError, PyMemoryError, PyOSError, PyRuntimeError, PyValueError,
};

/// Flags that are followed by a value.
const WITH_VALUE: [&str; 5] = ["categorical", "ignore", "missing", "score", "task"];

/// Flags whose argument has another name here.
const RENAMED: [(&str, &str); 1] = [("count", "k")];

/// The exception of an error of a valuation.
pub fn value_error(error: &ValueError) -> PyErr {
    let text = in_python(&error.to_string());
    match error {
        ValueError::Memory { .. } => PyMemoryError::new_err(text),
        ValueError::Io { source, .. } => of_system(source, text),
        error if error.is_users() => PyValueError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// The exception of an error of a selection.
pub fn coreset_error(error: &CoresetError) -> PyErr {
    let text = in_python(&error.to_string());
    match error {
        CoresetError::Memory { .. } => PyMemoryError::new_err(text),
        CoresetError::Io { source, .. } => of_system(source, text),
        CoresetError::Setting { key, reason } => {
            let renamed = RENAMED.iter().find(|(flag, _)| flag == key);
            let key = renamed.map_or(*key, |(_, argument)| argument);
            PyValueError::new_err(format!("{key}: {}", in_python(reason)))
        }
        _ => PyValueError::new_err(text),
    }
}

/// The exception of an error of the operating system.
pub fn of_system(error: &io::Error, text: String) -> PyErr {
    match error.kind() {
        io::ErrorKind::NotFound => PyFileNotFoundError::new_err(text),
        _ => PyOSError::new_err(text),
    }
}

/// A message of the command, whose flags become arguments: `--task regression` becomes
/// `task=regression`, and `--max-depth` becomes `max_depth`.
pub fn in_python(message: &str) -> String {
    let mut parts = message.split("--");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part
            .find(|c: char| !c.is_ascii_lowercase() && c != '-')
            .unwrap_or(part.len());
        let (flag, rest) = part.split_at(end);
        if flag.is_empty() {
            told += "--";
            told += rest;
            continue;
        }
        told += &flag.replace('-', "_");
        match rest.strip_prefix(' ') {
            // "no --missing for it" names no value.
            Some(value) if WITH_VALUE.contains(&flag) && !value.starts_with("for ") => {
                told.push('=');
                told += value;
            }
            _ => told += rest,
        }
    }
    told
}
