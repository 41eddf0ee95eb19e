//! Devices by name.

use burn::tensor::Device;

use crate::error::RunError;

/// Names of the devices that this program was compiled for.
pub fn available_devices() -> Vec<&'static str> {
    let mut names = Vec::new();
    if cfg!(feature = "flex") {
        names.push("cpu");
    }
    if cfg!(feature = "cuda") {
        names.push("cuda:0");
    }
    if cfg!(feature = "wgpu") {
        names.push("wgpu");
    }
    names
}

/// Opens a device by name: `cpu`, `cuda:N`, `cuda:local` (by the place of this trial among those of its sweep
/// that run at a time, or the number of this process among those on its machine) or `wgpu`.
///
/// # Errors
/// A name that is none, or a device that this program was not compiled for.
pub fn open_device(name: &str) -> Result<Device, RunError> {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, Some(index)),
        None => (name, None),
    };
    let number = |index: Option<&str>| match index {
        Some("local") => Ok(local_rank(|name| std::env::var(name).ok())),
        index => index
            .unwrap_or("0")
            .parse::<usize>()
            .map_err(|_| unknown(name)),
    };
    match kind {
        "cpu" if index.is_none() => cpu(name),
        "cuda" => cuda(name, number(index)?),
        "wgpu" if index.is_none() => wgpu(name),
        _ => Err(unknown(name)),
    }
}

/// The number of this process among those that were started with it on this machine, as trials of a sweep or
/// for one run; 0 where it was started alone.
fn local_rank(variable: impl Fn(&str) -> Option<String>) -> usize {
    [
        "AFTERIMAGE_PLACE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "MPI_LOCALRANKID",
        "SLURM_LOCALID",
    ]
    .iter()
    .find_map(|name| variable(name)?.parse().ok())
    .unwrap_or(0)
}

fn unknown(name: &str) -> RunError {
    RunError::Device(format!(
        "{name:?} is no device; this program has {}",
        available_devices().join(", ")
    ))
}

#[allow(dead_code)] // used by the features that are off
fn missing(name: &str, feature: &str) -> RunError {
    RunError::Device(format!(
        "device {name:?} is not compiled in; build with `--features {feature}`, or use one of: {}",
        available_devices().join(", ")
    ))
}

#[cfg(feature = "flex")]
fn cpu(_name: &str) -> Result<Device, RunError> {
    Ok(Device::flex())
}

#[cfg(not(feature = "flex"))]
fn cpu(name: &str) -> Result<Device, RunError> {
    Err(missing(name, "flex"))
}

#[cfg(feature = "cuda")]
fn cuda(_name: &str, index: usize) -> Result<Device, RunError> {
    Ok(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _index: usize) -> Result<Device, RunError> {
    Err(missing(name, "cuda"))
}

#[cfg(feature = "wgpu")]
fn wgpu(_name: &str) -> Result<Device, RunError> {
    Ok(Device::wgpu(Default::default()))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(name: &str) -> Result<Device, RunError> {
    Err(missing(name, "wgpu"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_device_that_is_no_device_or_not_compiled_in_is_named() {
        for name in ["gpu", "cpu:1", "cuda:x", ""] {
            let text = open_device(name).map(|_| ()).unwrap_err().to_string();
            assert!(text.contains("is no device"), "{text}");
        }
        let slurm = |name: &str| (name == "SLURM_LOCALID").then(|| "3".to_owned());
        assert_eq!((local_rank(slurm), local_rank(|_| None)), (3, 0));
        // A sweep in a job of Slurm: its trials inherit the job's variables.
        let trial = |name: &str| {
            let value = match name {
                "AFTERIMAGE_PLACE" => "1",
                "SLURM_LOCALID" => "0",
                _ => return None,
            };
            Some(value.to_owned())
        };
        assert_eq!(local_rank(trial), 1);
        if !cfg!(feature = "cuda") {
            let local = open_device("cuda:local").map(|_| ()).unwrap_err();
            assert!(local.to_string().contains("--features cuda"), "{local}");
            let text = open_device("cuda:0").map(|_| ()).unwrap_err().to_string();
            assert!(text.contains("--features cuda"), "{text}");
        }
    }
}
