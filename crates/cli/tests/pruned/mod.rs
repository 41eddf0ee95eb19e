//! Pruned runs: their configs, records, and what was chosen.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Bytes;
use burn_pack::Reader;

use crate::run::plugin;

/// A pruner with these settings beside UnitMem.
pub fn pruned(text: &str, settings: &str) -> String {
    format!(
        "{text}{}\n[[plugins]]\nkind = \"prune\"\n{settings}\n",
        plugin("unitmem")
    )
}

/// Values and shapes of a record by name.
pub type Tensors = BTreeMap<String, (Vec<f32>, Vec<usize>)>;

/// The tensors of a record.
pub fn tensors(file: &Path) -> Tensors {
    let bytes = Bytes::from_bytes_vec(fs::read(file).unwrap());
    let tensors = Reader::from_bytes(bytes).unwrap().into_tensors().unwrap();
    tensors
        .into_iter()
        .map(|tensor| {
            let (name, _, shape, _, bytes) = tensor.into_parts().unwrap();
            let values = bytes.chunks_exact(4);
            let values = values.map(|v| f32::from_le_bytes(v.try_into().unwrap()));
            (name, (values.collect(), shape.to_vec()))
        })
        .collect()
}

/// The folder of the checkpoint behind a step.
pub fn checkpoint(run: &Path, step: u64) -> PathBuf {
    run.join(format!("checkpoints/step-{step:08}"))
}

/// Units that the pruner chose, by group.
pub fn chosen(run: &Path) -> BTreeMap<String, Vec<usize>> {
    let text = fs::read_to_string(run.join("decisions.jsonl")).unwrap();
    let mut chosen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.contains("\"kind\":\"mask\""))
    {
        assert!(line.contains("\"outcome\":\"applied\""), "{line}");
        let (_, what) = line.split_once(" units of ").unwrap();
        let (site, rest) = what.split_once(": [").unwrap();
        let (units, _) = rest.split_once(']').unwrap();
        let units = units.split(", ").map(|unit| unit.parse::<usize>().unwrap());
        chosen.entry(site.to_owned()).or_default().extend(units);
    }
    chosen
}
