//! Every view operation against torchvision's values (`scripts/reference_views.py`).

#![allow(clippy::unwrap_used, clippy::panic)]

use afterimage_data::{
    Blur, ColourChange, ImageRef, Normalize, Preset, Rect, Scratch, Shape, Solarize, ViewConfig,
    Views,
};
use afterimage_hooks::random::{RandomKey, Stream};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    arguments: Vec<f64>,
    channels: usize,
    values: Vec<f32>,
}

const HEIGHT: usize = 6;
const WIDTH: usize = 8;

fn pixels(channels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for c in 0..channels {
        for y in 0..HEIGHT {
            bytes.extend((0..WIDTH).map(|x| ((37 * c + 29 * y + 53 * x + 11 * x * y) % 256) as u8));
        }
    }
    bytes
}

fn render(case: &Case) -> Vec<f32> {
    let argument = |at: usize| case.arguments[at];
    let mut config = ViewConfig::preset(Preset::None);
    config.normalize = Some(match case.op.as_str() {
        "normalize" => Normalize {
            mean: vec![argument(0) as f32],
            std: vec![argument(1) as f32],
        },
        _ => Normalize {
            mean: vec![0.0],
            std: vec![1.0],
        },
    });
    if case.op == "blur" {
        config.blur = Some(Blur {
            kernel: argument(0) as usize,
            sigma: [1.0, 1.0],
            p: 0.0,
        });
    }
    config.solarize = Some(Solarize {
        threshold: 0.0,
        p: 0.0,
    });
    let shape = Shape {
        channels: case.channels,
        height: HEIGHT,
        width: WIDTH,
    };
    let views = Views::new(&config, shape, 1).unwrap();
    let mut drawn = views.draw(RandomKey::new(1, Stream::View));
    match case.op.as_str() {
        "crop" => {
            let [top, left, height, width] = [0, 1, 2, 3].map(|at| argument(at) as usize);
            drawn.crop = Rect {
                top,
                left,
                height,
                width,
            };
        }
        "horizontal_flip" => drawn.horizontal_flip = true,
        "vertical_flip" => drawn.vertical_flip = true,
        "brightness" => drawn.jitter = vec![ColourChange::Brightness(argument(0) as f32)],
        "contrast" => drawn.jitter = vec![ColourChange::Contrast(argument(0) as f32)],
        "saturation" => drawn.jitter = vec![ColourChange::Saturation(argument(0) as f32)],
        "hue" => drawn.jitter = vec![ColourChange::Hue(argument(0) as f32)],
        "grayscale" => drawn.grayscale = true,
        "blur" => drawn.blur = Some(argument(1)),
        "solarize" => drawn.solarize = Some(argument(0) as f32),
        "invert" => drawn.invert = true,
        "normalize" => {}
        other => panic!("{other} is not known"),
    }
    let bytes = pixels(case.channels);
    let image = ImageRef {
        pixels: &bytes,
        shape,
    };
    let mut out = vec![0.0; shape.len()];
    views.render_drawn(image, &drawn, &mut Scratch::default(), &mut out);
    out
}

#[test]
fn every_operation_agrees_with_torchvision() {
    let reference: Reference = serde_json::from_str(include_str!("torchvision.json")).unwrap();
    let mut seen: Vec<&str> = Vec::new();
    for case in &reference.cases {
        let out = render(case);
        assert_eq!(out.len(), case.values.len());
        for (at, (found, expected)) in out.iter().zip(&case.values).enumerate() {
            assert!(
                (found - expected).abs() < 3e-6,
                "{} {:?} at {at}: {found}, torchvision {expected}",
                case.op,
                case.arguments
            );
        }
        seen.push(&case.op);
    }
    seen.dedup();
    assert!(seen.len() >= 12, "{seen:?}");
}
