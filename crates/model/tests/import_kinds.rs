//! State dicts of compiled and pruned networks, weights that are no numbers, and files that are none.

use std::error::Error;
use std::fs;
use std::path::Path;

use afterimage_kernels::Convolution;
use afterimage_model::{Encoder as _, ImportOptions, Taps, Weights};
use burn::tensor::{Device, Tensor};
use serde_json::json;
use tempfile::TempDir;

type AnyResult = Result<(), Box<dyn Error>>;

/// A tensor of a file.
#[derive(Clone)]
struct Entry {
    key: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn entry(key: &str, shape: &[usize], start: f32) -> Entry {
    let count: usize = shape.iter().product();
    let wave = |at: usize| start + 0.3 * (at as f32 * 0.7 + key.len() as f32).sin();
    Entry {
        key: key.to_owned(),
        shape: shape.to_vec(),
        values: (0..count).map(wave).collect(),
    }
}

fn norm(key: &str, channels: usize) -> Vec<Entry> {
    [
        ("weight", 1.0),
        ("bias", 0.0),
        ("running_mean", 0.0),
        ("running_var", 1.0),
    ]
    .map(|(name, start)| entry(&format!("{key}.{name}"), &[channels], start))
    .to_vec()
}

/// A ResNet-18 of few channels with torchvision's keys.
fn resnet() -> Vec<Entry> {
    let mut all = vec![entry("conv1.weight", &[2, 3, 3, 3], 0.0)];
    all.extend(norm("bn1", 2));
    let mut inputs = 2;
    for (stage, channels) in [2, 4, 8, 16].into_iter().enumerate() {
        for block in 0..2 {
            let place = format!("layer{}.{block}", stage + 1);
            let conv = |name: &str, inputs: usize, kernel: usize| {
                let shape = [channels, inputs, kernel, kernel];
                entry(&format!("{place}.{name}.weight"), &shape, 0.0)
            };
            all.push(conv("conv1", inputs, 3));
            all.extend(norm(&format!("{place}.bn1"), channels));
            all.push(conv("conv2", channels, 3));
            all.extend(norm(&format!("{place}.bn2"), channels));
            if inputs != channels {
                all.push(conv("downsample.0", inputs, 1));
                all.extend(norm(&format!("{place}.downsample.1"), channels));
            }
            inputs = channels;
        }
    }
    all
}

fn write(path: &Path, entries: &[Entry]) -> AnyResult {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for Entry { key, shape, values } in entries {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let place = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(key.clone(), place);
    }
    let mut header = serde_json::to_string(&header)?;
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&data);
    Ok(fs::write(path, bytes)?)
}

/// Features of an image by the encoder of `entries`.
fn features(entries: &[Entry]) -> Result<Vec<f32>, Box<dyn Error>> {
    let folder = TempDir::new()?;
    let path = folder.path().join("weights.safetensors");
    write(&path, entries)?;
    let weights = Weights::open(&path, &ImportOptions::default())?;
    let device = Device::flex();
    let imported = weights.load(Convolution::Direct, &device)?;
    let images = Tensor::<4>::ones([1, 3, 16, 16], &device);
    let found = imported.encoder.encode(images, &mut Taps::none());
    Ok(found
        .into_data()
        .try_to_vec::<f32>()
        .map_err(|e| e.to_string())?)
}

fn refusal(entries: &[Entry]) -> Result<String, Box<dyn Error>> {
    match features(entries) {
        Ok(_) => Err("the weights were accepted".into()),
        Err(error) => Ok(error.to_string()),
    }
}

/// The entries with other keys.
fn renamed(rename: impl Fn(&str) -> String) -> Vec<Entry> {
    let change = |entry: Entry| Entry {
        key: rename(&entry.key),
        ..entry
    };
    resnet().into_iter().map(change).collect()
}

#[test]
fn keys_of_compiled_and_wrapped_parts_are_those_of_the_network() -> AnyResult {
    let plain = features(&resnet())?;
    assert!(plain.iter().all(|value| value.is_finite()) && plain.iter().any(|value| *value > 0.0));
    let stage = |wrapper: &'static str| {
        renamed(move |key| key.replace("layer1.", &format!("layer1.{wrapper}.")))
    };
    let front = |prefix: &'static str| renamed(move |key| format!("{prefix}.{key}"));
    for entries in [
        stage("_orig_mod"),
        stage("module"),
        stage("_checkpoint_wrapped_module"),
        front("_orig_mod"),
        front("module._orig_mod"),
        // Some keys alone, as where a part of a network was trained on several devices.
        renamed(|key| match key.starts_with("layer") {
            true => format!("module.{key}"),
            false => key.to_owned(),
        }),
        front("model.backbone"),
        renamed(|key| {
            format!(
                "net._orig_mod.{}",
                key.replace("conv1.", "conv1._orig_mod.")
            )
        }),
    ] {
        assert_eq!(features(&entries)?, plain, "{}", entries[0].key);
    }
    Ok(())
}

#[test]
fn pruned_weights_are_their_values_times_their_masks() -> AnyResult {
    let key = "layer2.0.conv1.weight";
    let (mut product, mut pruned) = (resnet(), Vec::new());
    for entry in resnet() {
        if entry.key == key {
            let mut mask = entry.clone();
            mask.key.push_str("_mask");
            mask.values = (0..mask.values.len()).map(|at| (at % 2) as f32).collect();
            let mut original = entry;
            original.key.push_str("_orig");
            pruned.extend([original, mask]);
        } else {
            pruned.push(entry);
        }
    }
    for entry in product.iter_mut().filter(|entry| entry.key == key) {
        for (at, value) in entry.values.iter_mut().enumerate() {
            *value *= (at % 2) as f32;
        }
    }
    assert_eq!(features(&pruned)?, features(&product)?);
    assert_ne!(features(&pruned)?, features(&resnet())?);
    // A mask of another shape.
    for entry in pruned
        .iter_mut()
        .filter(|entry| entry.key.ends_with("_mask"))
    {
        entry.shape = vec![entry.values.len()];
    }
    let told = refusal(&pruned)?;
    assert!(
        told.contains("weight_mask does not fit") && told.contains("prune.remove"),
        "{told}"
    );
    Ok(())
}

#[test]
fn running_variances_below_zero_are_named() -> AnyResult {
    let mut entries = resnet();
    for entry in entries
        .iter_mut()
        .filter(|entry| entry.key == "layer1.0.bn1.running_var")
    {
        entry.values[1] = -0.5;
    }
    let told = refusal(&entries)?;
    assert!(
        told.contains("running variances below zero:")
            && told.contains("layer1.0.bn1.running_var (1 of ")
            && told.contains("the first at [1]: -0.5)"),
        "{told}"
    );
    Ok(())
}

#[test]
fn weights_that_are_not_finite_are_named_as_in_the_file() -> AnyResult {
    for (key, value) in [
        ("layer2.0.conv1.weight", f32::NAN),
        ("bn1.running_var", f32::INFINITY),
        ("layer4.1.bn2.bias", f32::NEG_INFINITY),
    ] {
        let mut entries = renamed(|key| format!("_orig_mod.{key}"));
        let key = format!("_orig_mod.{key}");
        for entry in entries.iter_mut().filter(|entry| entry.key == key) {
            entry.values[1] = value;
        }
        let told = refusal(&entries)?;
        for words in [
            "weights.safetensors",
            &key,
            "1 of ",
            "not finite",
            &value.to_string(),
        ] {
            assert!(told.contains(words), "no {words:?} in {told}");
        }
    }
    // What is left out has no say.
    let mut entries = resnet();
    entries.push(Entry {
        values: vec![f32::NAN; 4],
        ..entry("fc.weight", &[2, 2], 0.0)
    });
    assert_eq!(features(&entries)?, features(&resnet())?);
    Ok(())
}

#[test]
fn weights_of_whole_numbers_are_named_as_the_file_does() -> AnyResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("weights.safetensors");
    write(&path, &renamed(|key| format!("model.{key}")))?;
    let mut bytes = fs::read(&path)?;
    let find = |bytes: &[u8], from: usize, words: &[u8]| {
        let rest = bytes[from..].windows(words.len());
        rest.enumerate()
            .find(|(_, window)| *window == words)
            .map(|(at, _)| from + at)
            .ok_or("it is not there")
    };
    let key = find(&bytes, 0, b"\"model.conv1.weight\"")?;
    let kind = find(&bytes, key, b"F32")?;
    bytes[kind] = b'I';
    fs::write(&path, &bytes)?;
    let weights = Weights::open(&path, &ImportOptions::default())?;
    let error = weights.load(Convolution::Direct, &Device::flex());
    let told = match error {
        Ok(_) => return Err("the weights were accepted".into()),
        Err(error) => error.to_string(),
    };
    for words in ["whole numbers", "model.conv1.weight (I32)", "quantized"] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    Ok(())
}

#[test]
fn what_lies_beside_one_of_several_encoders_is_named() -> AnyResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("moco.safetensors");
    let mut entries = renamed(|key| format!("state_dict.encoder_q.{key}"));
    let count = entries.len();
    entries.extend(renamed(|key| format!("state_dict.encoder_k.{key}")));
    entries.push(entry("state_dict.queue", &[4, 2], 0.0));
    entries.push(entry("epoch_times", &[2], 0.0));
    write(&path, &entries)?;
    let several = match Weights::open(&path, &ImportOptions::default()) {
        Ok(_) => return Err("one of several was taken".into()),
        Err(error) => error.to_string(),
    };
    assert!(several.contains("choose one by its prefix"), "{several}");
    let options = ImportOptions {
        prefix: Some("state_dict.encoder_q".to_owned()),
        ..ImportOptions::default()
    };
    let imported = Weights::open(&path, &options)?.load(Convolution::Direct, &Device::flex())?;
    let left_out = [
        ("epoch_times", 1),
        ("state_dict.encoder_k", count),
        ("state_dict.queue", 1),
    ];
    let left_out = left_out.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(imported.left_out, left_out);
    Ok(())
}

/// An archive of empty files: enough to tell what it is.
fn archive(names: &[&str]) -> Vec<u8> {
    let (mut bytes, mut list) = (Vec::new(), Vec::new());
    for name in names {
        let offset = bytes.len() as u32;
        let length = (name.len() as u16).to_le_bytes();
        bytes.extend(b"PK\x03\x04\x14\0");
        bytes.extend([0; 20]);
        bytes.extend(length);
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
        list.extend(b"PK\x01\x02\x14\0\x14\0");
        list.extend([0; 20]);
        list.extend(length);
        list.extend([0; 12]);
        list.extend(offset.to_le_bytes());
        list.extend(name.as_bytes());
    }
    let (start, size) = (bytes.len() as u32, list.len() as u32);
    let count = (names.len() as u16).to_le_bytes();
    bytes.extend(list);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(size.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

#[test]
fn files_that_are_no_checkpoint_are_called_what_they_are() -> AnyResult {
    let folder = TempDir::new()?;
    let script = archive(&["m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"]);
    for (name, bytes, word) in [
        ("script.pt", script.as_slice(), "TorchScript"),
        (
            "lfs.pth",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "git lfs pull",
        ),
        (
            "lfs.safetensors",
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (
            "page.pth",
            b"<!DOCTYPE html><html><body>404</body></html>",
            "web page",
        ),
        ("model.bpk", b"NRUB\x01\0\0\0\0\0", "record of burn"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes)?;
        let told = match Weights::open(&path, &ImportOptions::default()) {
            Ok(_) => return Err(format!("{name} was accepted").into()),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(name) && told.contains(word), "{told}");
    }
    Ok(())
}
