//! What lies in the folder of an export, in words.

use afterimage_files::word;

use super::{ARCHITECTURE, Exported, LOADER, Library, PREPROCESSING, SETTINGS, WEIGHTS};

/// The README of an export; `brings_images` says whether its settings name images.
pub(super) fn readme(exported: &Exported, brings_images: bool) -> String {
    let mut text = format!(
        "# {}\n\nLayout: {}. An embedding is {}: {} numbers.\n\n\
         - `{WEIGHTS}`: {} tensors, parameters and running statistics.\n\
         - `{PREPROCESSING}`: how images are made: mean, deviation, size, order of channels.\n\
         - `{SETTINGS}`: settings of `afterimage probe`.\n",
        exported.encoder,
        exported.layout,
        exported.embedding,
        exported.embedding_length,
        exported.tensors
    );
    if exported.layout == Library::Safetensors.to_string() {
        text.push_str(&format!(
            "- `{ARCHITECTURE}`: the encoder and which of its units are there.\n"
        ));
    }
    if let Some((file, [train, held_out])) = &exported.embeddings {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!(
            "- `{name}`: embeddings of {train} training and then {held_out} held-out images.\n"
        ));
        if name.ends_with("npy") {
            text.push_str("- `samples.parquet`: what each of its rows is, in the same order.\n");
        }
    }
    if exported.loader {
        text.push_str(&format!(
            "- `{LOADER}`: loads the encoder into PyTorch.\n\n\
             ```python\nfrom load import load, preprocess\n\n\
             encoder = load()  # torch.nn.Module in evaluation mode\n\
             features = encoder(preprocess(images))  # images: 8-bit tensor [B, C, H, W]\n```\n"
        ));
    }
    let folder = word(&exported.out);
    let config = exported.out.join(SETTINGS);
    let again = match exported.layout.as_str() {
        "safetensors" => format!("afterimage probe {folder}"),
        _ => {
            let weights = exported.out.join(WEIGHTS);
            format!(
                "afterimage probe {} --config {}",
                word(&weights),
                word(&config)
            )
        }
    };
    // Paths of images are as the run's config has them.
    let (place, images) = match brings_images {
        true => (
            "from where the run was started (paths of its images are relative to there)",
            "",
        ),
        false => ("from where it was exported", " --data KIND:PATH"),
    };
    text.push_str(&format!(
        "\nMeasured again, {place}, by: `{again}{images} --out PROBE`, where `{folder}` is this folder.\n"
    ));
    text
}
