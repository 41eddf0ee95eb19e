//! Encoders from PyTorch weights: features against torchvision, timm and lightly
//! (scripts/import_reference.py), and files that do not fit.

mod fixture;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use afterimage_kernels::Convolution;
use afterimage_model::{
    Encoder as _, EncoderConfig, ImportOptions, Imported, Layout, ResNetConfig, Stem, Taps,
    VitConfig, Weights,
};
use burn::tensor::Device;
use fixture::{AnyResult, chirp, chirped, host};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

/// Shapes by key.
type Keys = BTreeMap<String, Vec<usize>>;

#[derive(Deserialize)]
struct Case {
    keys: Keys,
    features: Vec<Vec<f32>>,
}

fn cases() -> Result<BTreeMap<String, Case>, Box<dyn Error>> {
    Ok(serde_json::from_str(include_str!("data/import.json"))?)
}

fn case(name: &str) -> Result<Case, Box<dyn Error>> {
    Ok(cases()?.remove(name).ok_or("a case")?)
}

/// The values that the script puts at `key`.
fn values(key: &str, shape: &[usize]) -> Vec<f32> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let (offset, scale) = match name {
        "weight" if shape.len() > 1 => {
            let fan_in: usize = shape[1..].iter().product();
            (0.0, (3.0 / fan_in as f64).sqrt())
        }
        "weight" => (1.0, 0.3),
        "bias" => (0.0, 0.2),
        "running_mean" => (0.0, 0.1),
        "running_var" => (1.0, 0.5),
        "pos_embed" => (0.0, 0.5),
        _ => (0.0, 1.0),
    };
    let phase = (key.bytes().map(u64::from).sum::<u64>() % 97) as f64 * 0.1;
    chirp(shape.iter().product(), phase)
        .into_iter()
        .map(|value| (offset + scale * value) as f32)
        .collect()
}

/// A safetensors file with the script's values under `keys`.
fn write(path: &Path, keys: &Keys) -> AnyResult {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (key, shape) in keys {
        let start = data.len();
        for value in values(key, shape) {
            data.extend_from_slice(&value.to_le_bytes());
        }
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(key.clone(), entry);
    }
    let mut header = serde_json::to_string(&header)?;
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&data);
    Ok(fs::write(path, bytes)?)
}

/// A file of one test.
struct File {
    _folder: TempDir,
    path: PathBuf,
}

fn file(keys: &Keys) -> Result<File, Box<dyn Error>> {
    let folder = TempDir::new()?;
    let path = folder.path().join("weights.safetensors");
    write(&path, keys)?;
    Ok(File {
        _folder: folder,
        path,
    })
}

fn load(path: &Path, options: &ImportOptions) -> Result<(Weights, Imported), Box<dyn Error>> {
    let weights = Weights::open(path, options)?;
    let imported = weights.load(Convolution::Direct, &Device::flex())?;
    Ok((weights, imported))
}

/// What opening and loading `keys` says.
fn refusal(keys: &Keys, options: &ImportOptions) -> Result<String, Box<dyn Error>> {
    let file = file(keys)?;
    match load(&file.path, options) {
        Ok(_) => Err("the weights were accepted".into()),
        Err(error) => Ok(error
            .to_string()
            .replace(&file.path.display().to_string(), "FILE")),
    }
}

fn assert_features(imported: &Imported, side: usize, expected: &[Vec<f32>]) -> AnyResult {
    let images = chirped([2, 3, side, side], 0.0, &Device::flex());
    let found = host(imported.encoder.encode(images, &mut Taps::none()))?;
    let expected = expected.concat();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() / largest < 1e-5,
            "{found} for {expected}"
        );
    }
    Ok(())
}

#[test]
fn features_are_those_of_torchvision() -> AnyResult {
    for (name, depth) in [("resnet18", 18), ("resnet50", 50)] {
        let case = case(name)?;
        let file = file(&case.keys)?;
        let (weights, imported) = load(&file.path, &ImportOptions::default())?;
        let expected = ResNetConfig {
            stem: Stem::Imagenet,
            width: 1.0 / 16.0,
            ..ResNetConfig::new(depth)
        };
        assert_eq!(*weights.config(), EncoderConfig::ResNet(expected));
        assert_eq!(weights.side(), 224);
        assert!(weights.notes().is_empty());
        // The files' keys begin with `module.`, which is a wrapper's.
        assert!(weights.describe().ends_with("keys of layout resnet"));
        assert_eq!(imported.left_out, [("fc".to_owned(), 2)]);
        assert_features(&imported, 64, &case.features)?;
    }
    Ok(())
}

#[test]
fn features_of_a_numbered_backbone_are_those_of_lightly_from_both_kinds_of_file() -> AnyResult {
    let case = case("sequence")?;
    let file = file(&case.keys)?;
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sequence.pt");
    // In the file of PyTorch the state dict is the entry of a table.
    for (path, table) in [(&file.path, ""), (&stored, "state_dict.")] {
        let (weights, imported) = load(path, &ImportOptions::default())?;
        let expected = ResNetConfig {
            width: 1.0 / 32.0,
            ..ResNetConfig::new(18)
        };
        assert_eq!(*weights.config(), EncoderConfig::ResNet(expected));
        assert!(weights.notes()[0].contains("no ReLU between its first norm"));
        assert!(weights.notes()[1].contains("3×3, stride 1, no pooling"));
        let act = "encoder.stem.act";
        assert!(imported.encoder.sites().iter().all(|site| site.name != act));
        let head = match table {
            "" => "projection_head",
            _ => "state_dict.projection_head",
        };
        assert_eq!(imported.left_out, [(head.to_owned(), 2)]);
        assert_features(&imported, 32, &case.features)?;
    }
    Ok(())
}

#[test]
fn features_of_a_transformer_are_those_of_timm() -> AnyResult {
    let case = case("dino")?;
    let file = file(&case.keys)?;
    let (weights, imported) = load(&file.path, &ImportOptions::default())?;
    let expected = VitConfig {
        patch: 8,
        depth: 2,
        side: Some(16),
        ..VitConfig::default()
    };
    assert_eq!(*weights.config(), EncoderConfig::Vit(expected));
    assert!(weights.notes()[0].contains("a student and a teacher"));
    assert_eq!(
        imported.left_out,
        [
            ("student".to_owned(), 32),
            ("teacher.backbone.head".to_owned(), 2)
        ]
    );
    assert_features(&imported, 16, &case.features)?;
    let student = ImportOptions {
        prefix: Some("student.backbone".to_owned()),
        layout: Some(Layout::Vit),
    };
    let (_, imported) = load(&file.path, &student)?;
    assert!(assert_features_differ(&imported, &case.features)?);
    Ok(())
}

fn assert_features_differ(
    imported: &Imported,
    expected: &[Vec<f32>],
) -> Result<bool, Box<dyn Error>> {
    let images = chirped([2, 3, 16, 16], 0.0, &Device::flex());
    let found = host(imported.encoder.encode(images, &mut Taps::none()))?;
    Ok(found
        .iter()
        .zip(expected.concat())
        .any(|(a, b)| (a - b).abs() > 0.1))
}

#[test]
fn the_decoder_of_a_masked_autoencoder_is_left_out() -> AnyResult {
    let case = case("mae")?;
    let file = file(&case.keys)?;
    let (_, imported) = load(&file.path, &ImportOptions::default())?;
    let names: Vec<&str> = imported
        .left_out
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "decoder_blocks",
            "decoder_embed",
            "decoder_norm",
            "decoder_pos_embed",
            "decoder_pred",
            "mask_token"
        ]
    );
    assert_features(&imported, 16, &case.features)?;
    Ok(())
}

#[test]
fn a_norm_behind_the_mean_of_patches_is_told() -> AnyResult {
    let keys: Keys = case("mae")?
        .keys
        .into_iter()
        .map(|(key, shape)| match key.strip_prefix("norm.") {
            Some(rest) => (format!("fc_norm.{rest}"), shape),
            None => (key, shape),
        })
        .collect();
    let file = file(&keys)?;
    let (weights, _) = load(&file.path, &ImportOptions::default())?;
    assert!(weights.notes()[0].contains("`encoder.norm` and the embedding are not"));
    Ok(())
}

#[test]
fn every_key_that_does_not_fit_is_told_at_once() -> AnyResult {
    let mut keys = case("resnet18")?.keys;
    keys.remove("module.layer2.0.bn1.running_mean");
    keys.remove("module.bn1.bias");
    keys.insert("module.layer1.1.conv2.weight".to_owned(), vec![4, 4, 5, 5]);
    keys.insert("module.layer1.0.se.fc1.weight".to_owned(), vec![2]);
    assert_eq!(
        refusal(&keys, &ImportOptions::default())?,
        "FILE: the weights are not those of a ResNet-18 of width 0.0625 with the stem for large \
         images\n  missing: bn1.bias, layer2.0.bn1.running_mean\n  of another shape: \
         layer1.1.conv2.weight is [4, 4, 5, 5] in place of [4, 4, 3, 3]\n  unknown: \
         layer1.0.se.fc1.weight"
    );
    Ok(())
}

#[test]
fn architectures_that_are_not_there_are_told() -> AnyResult {
    let with = |name: &str, change: &dyn Fn(&mut Keys)| -> Result<String, Box<dyn Error>> {
        let mut keys = case(name)?.keys;
        change(&mut keys);
        refusal(&keys, &ImportOptions::default())
    };
    let told = with("resnet50", &|keys| {
        for block in 6..23 {
            keys.insert(
                format!("module.layer3.{block}.conv1.weight"),
                vec![16, 64, 1, 1],
            );
        }
    })?;
    assert!(
        told.contains("[3, 4, 23, 3] blocks of three convolutions"),
        "{told}"
    );
    let told = with("resnet18", &|keys| {
        keys.remove("module.conv1.weight");
        keys.insert("module.conv1.0.weight".to_owned(), vec![2, 3, 3, 3]);
    })?;
    assert!(told.contains("a stem of several convolutions"), "{told}");
    let told = with("mae", &|keys| {
        keys.insert("patch_embed.proj.weight".to_owned(), vec![256, 3, 8, 8]);
    })?;
    assert!(told.contains("192, 384 and 768 channels"), "{told}");
    let told = with("mae", &|keys| {
        keys.insert("pos_embed".to_owned(), vec![1, 4, 192]);
    })?;
    assert!(told.contains("`pos_embed` is [1, 4, 192]"), "{told}");
    let told = with("mae", &|keys| {
        keys.insert("blocks.0.ls1.gamma".to_owned(), vec![192]);
        keys.insert("reg_token".to_owned(), vec![1, 4, 192]);
    })?;
    assert!(
        told.contains("unknown: blocks.0.ls1.gamma, reg_token"),
        "{told}"
    );
    Ok(())
}

#[test]
fn keys_of_no_layout_or_of_two_encoders_are_told() -> AnyResult {
    let mut keys: Keys = (0..20).map(|i| (format!("a.{i:02}"), vec![1])).collect();
    let told = refusal(&keys, &ImportOptions::default())?;
    assert!(
        told.contains("an encoder of a known layout was not found"),
        "{told}"
    );
    assert!(
        told.contains("a.00") && told.contains("and 12 more"),
        "{told}"
    );
    let resnet = case("resnet18")?.keys;
    let told = refusal(
        &resnet,
        &ImportOptions {
            layout: Some(Layout::Vit),
            ..ImportOptions::default()
        },
    )?;
    assert!(
        told.contains("an encoder of layout vit was not found"),
        "{told}"
    );
    for (key, shape) in resnet {
        keys.insert(key.replace("module.", "encoder_q."), shape.clone());
        keys.insert(key.replace("module.", "encoder_k."), shape);
    }
    let told = refusal(&keys, &ImportOptions::default())?;
    assert!(
        told.contains("\"encoder_k\" (resnet), \"encoder_q\" (resnet)"),
        "{told}"
    );
    let query = ImportOptions {
        prefix: Some("encoder_q.".to_owned()),
        ..ImportOptions::default()
    };
    let file = file(&keys)?;
    load(&file.path, &query)?;
    assert!("restnet".parse::<Layout>().is_err());
    Ok(())
}

#[test]
fn files_that_are_no_weights_are_told() -> AnyResult {
    let folder = TempDir::new()?;
    let told = |name: &str, bytes: &[u8]| -> Result<String, Box<dyn Error>> {
        let path = folder.path().join(name);
        fs::write(&path, bytes)?;
        match load(&path, &ImportOptions::default()) {
            Ok(_) => Err(format!("{name} was accepted").into()),
            Err(error) => Ok(error.to_string()),
        }
    };
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sequence.pt");
    let torch = fs::read(stored)?;
    let file = file(&case("sequence")?.keys)?;
    let safe = fs::read(&file.path)?;
    for (name, bytes) in [
        ("empty.pt", &[][..]),
        ("text.pt", b"not weights at all"),
        ("half.pt", &torch[..torch.len() / 2]),
        ("half.safetensors", &safe[..safe.len() / 2]),
        ("start.safetensors", &safe[..100]),
        ("table.pt", b"\x80\x02}q\x00."),
    ] {
        let message = told(name, bytes)?;
        assert!(
            message.contains(name) && message.contains("cannot be read as weights of PyTorch"),
            "{message}"
        );
    }
    let missing = load(&folder.path().join("none.pt"), &ImportOptions::default());
    let message = missing
        .err()
        .map_or_else(String::new, |error| error.to_string());
    assert!(message.contains("none.pt"), "{message}");
    Ok(())
}
