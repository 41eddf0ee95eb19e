//! What objectives are built from: teachers, deeper heads, a transformer that sees a part.

mod fixture;

use std::collections::BTreeMap;

use afterimage_model::{
    Encoder, HeadActivation, HeadForm, ProjectionHeadConfig, ResNet9, ResNet9Config, Taps,
    VitConfig, evaluation, moved_towards, parameter_count, parameters, seeded, teacher,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor, s};
use fixture::{AnyResult, by_path, chirped, host};

fn small(seed: u64) -> ResNet9 {
    let device = Device::flex().autodiff();
    let config = ResNet9Config {
        channels: 1,
        width: 0.125,
        ..ResNet9Config::default()
    };
    seeded(&device, seed, || config.init(&device))
}

fn values<M: Module>(module: &M) -> BTreeMap<String, Vec<f32>> {
    by_path(module, None)
        .into_iter()
        .filter_map(|(path, values)| Some((path, values?)))
        .collect()
}

fn is_statistic(path: &str) -> bool {
    path.contains("running_")
}

#[test]
fn a_teacher_has_the_values_but_neither_ids_nor_gradients_nor_statistics_of_its_module() {
    let student = small(3);
    let images = chirped([4, 1, 20, 20], 0.0, &Device::flex().autodiff());
    student.encode(images.clone(), &mut Taps::none());
    let made = teacher(&student);
    assert_eq!(values(&made), values(&evaluation(&student)));
    for (ours, theirs) in parameters(&made).iter().zip(parameters(&student)) {
        assert_eq!(ours.path, theirs.path);
        assert!(ours.statistic || ours.id != theirs.id, "{}", ours.path);
    }
    let before = values(&made);
    student.encode(images.clone(), &mut Taps::none());
    assert_eq!(
        values(&made.valid()),
        before,
        "the student's pass is its own"
    );
    let embeddings = made.encode(images, &mut Taps::none());
    assert!(
        embeddings.is_autodiff(),
        "norms take the batch's statistics"
    );
    assert!(!embeddings.is_require_grad());
    assert!(values(&made.valid()) != before);
}

#[test]
fn a_teacher_moves_by_its_momentum_and_keeps_its_statistics() {
    let (made, student) = (teacher(&small(3)), small(4));
    let images = chirped([4, 1, 20, 20], 0.0, &Device::flex().autodiff());
    student.encode(images, &mut Taps::none());
    let (before, target) = (values(&made), values(&student.valid()));
    let moved = values(&moved_towards(made.clone(), &student, 0.9));
    for (path, moved) in &moved {
        for ((moved, was), target) in moved.iter().zip(&before[path]).zip(&target[path]) {
            let expected = if is_statistic(path) {
                *was
            } else {
                0.9 * was + 0.1 * target
            };
            assert!(
                (moved - expected).abs() < 1e-6,
                "{path}: {moved} {expected}"
            );
        }
    }
    assert_eq!(values(&moved_towards(made.clone(), &student, 1.0)), before);
    let arrived = values(&moved_towards(made, &student, 0.0));
    assert!(
        arrived
            .iter()
            .all(|(path, values)| is_statistic(path) || *values == target[path])
    );
}

#[test]
fn a_head_of_three_layers_ends_in_a_norm_that_nothing_trains() -> AnyResult {
    let device = Device::flex().autodiff();
    let config = ProjectionHeadConfig {
        hidden: 7,
        output: 4,
        ..ProjectionHeadConfig::default()
    };
    let form = HeadForm {
        layers: 3,
        activation: HeadActivation::Gelu,
        output_norm: true,
    };
    let head = seeded(&device, 1, || config.init_as(form, 10, &device));
    let norms = 2 * 2 * 7 + 2 * 4;
    assert_eq!(parameter_count(&head), 10 * 7 + 7 * 7 + 7 * 4 + 4 + norms);
    let projected = head.forward(chirped([6, 10], 0.0, &device));
    for column in 0..4 {
        let values = host(projected.clone().slice(s![.., column..column + 1]))?;
        let mean = values.iter().sum::<f32>() / 6.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 6.0;
        assert!(
            mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-2,
            "{mean} {variance}"
        );
    }
    let gradients = projected.square().sum().backward();
    let trained = by_path(&head, Some(&gradients));
    let of = |name: &str| trained.iter().find(|(path, _)| path == name);
    assert!(of("output_norm.gamma").is_some_and(|(_, gradient)| gradient.is_none()));
    assert!(of("middle.0.linear.weight").is_some_and(|(_, gradient)| gradient.is_some()));

    // A key of the config goes before the objective's form.
    let two = ProjectionHeadConfig {
        layers: Some(2),
        ..config
    };
    assert!(two.init_as(form, 10, &device).middle.is_empty());
    let one = ProjectionHeadConfig {
        layers: Some(1),
        ..two
    };
    assert!(
        one.validate()
            .is_err_and(|e| e.to_string().contains("layers"))
    );
    Ok(())
}

#[test]
fn a_transformer_that_sees_all_patches_sees_the_image() -> AnyResult {
    let device = Device::flex().autodiff();
    let config = VitConfig {
        patch: 4,
        depth: 2,
        channels: 1,
        side: Some(8),
        ..VitConfig::default()
    };
    let vit = config.init(3, &device)?;
    let images: Tensor<4> = chirped([2, 1, 8, 8], 0.0, &device);
    let all = Tensor::arange(0..8, &device);
    let seen = host(vit.visible_tokens(images.clone(), all, &mut Taps::none()))?;
    for (seen, token) in seen
        .iter()
        .zip(host(vit.tokens(images.clone(), &mut Taps::none()))?)
    {
        assert!((seen - token).abs() < 1e-5, "{seen} {token}");
    }

    // What the hidden patches show makes no difference; what a visible one shows does.
    let visible = || Tensor::from_ints([0, 3, 4 + 1, 4 + 2], &device);
    let part = |images| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
        host(vit.visible_tokens(images, visible(), &mut Taps::none()))
    };
    let before = part(images.clone())?;
    assert_eq!(before.len(), 2 * 3 * vit.channels());
    let change = |row: usize, column: usize| {
        let patch = Tensor::ones([1, 1, 4, 4], &device);
        let (top, left) = (4 * row, 4 * column);
        images
            .clone()
            .slice_assign(s![0..1, .., top..top + 4, left..left + 4], patch)
    };
    assert_eq!(part(change(0, 1))?, before);
    assert!(part(change(1, 1))? != before);
    Ok(())
}
