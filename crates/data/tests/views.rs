//! Laws of views, batches and the prefetcher.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use afterimage_data::{
    Blur, Crop, DataSet, ImageRef, ImageSet, Normalize, Prefetcher, Preset, SampleStore, Scratch,
    Shape, Solarize, ViewConfig, ViewSource, Views, batches, order,
};
use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{PairChoice, PairSets, SampleId, Samples, Split};
use burn::tensor::Device;
use proptest::prelude::*;

fn picture(shape: Shape, salt: u32) -> Vec<u8> {
    (0..shape.len() as u32)
        .map(|at| ((at + salt).wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn set(count: u32, shape: Shape, salt: u32) -> ImageSet {
    let pixels = (0..count)
        .flat_map(|id| picture(shape, salt + 1000 * id))
        .collect();
    let labels = (0..count).map(|id| id % 2).collect();
    ImageSet::new(pixels, labels, vec!["a".into(), "b".into()], shape).unwrap()
}

fn colour(side: usize) -> Shape {
    Shape {
        channels: 3,
        height: side,
        width: side,
    }
}

/// Every operation switched on, with random parts.
fn everything() -> ViewConfig {
    ViewConfig {
        preset: Preset::Weak,
        size: Some(12),
        vertical_flip: Some(0.5),
        blur: Some(Blur {
            kernel: 3,
            sigma: [0.1, 2.0],
            p: 0.5,
        }),
        solarize: Some(Solarize {
            threshold: 0.5,
            p: 0.5,
        }),
        invert: Some(0.3),
        ..ViewConfig::default()
    }
}

fn unnormalised(preset: Preset) -> ViewConfig {
    let normalize = Some(Normalize {
        mean: vec![0.0],
        std: vec![1.0],
    });
    ViewConfig {
        normalize,
        ..ViewConfig::preset(preset)
    }
}

fn source() -> ViewSource {
    let data = DataSet {
        train: set(20, colour(16), 1),
        held_out: set(7, colour(16), 99),
    };
    let views = Views::new(&everything(), colour(16), 5).unwrap();
    ViewSource::new(Arc::new(data), Split::Train, views)
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<SampleId> {
    numbers.into_iter().map(SampleId).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn render(config: &ViewConfig, shape: Shape, image: &[u8], key: RandomKey) -> Vec<f32> {
    let views = Views::new(config, shape, 1).unwrap();
    let mut out = vec![f32::NAN; views.shape().len()];
    views.render(
        ImageRef {
            pixels: image,
            shape,
        },
        key,
        &mut Scratch::default(),
        &mut out,
    );
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Values stay in [0, 1] until normalisation, whatever is drawn and whatever the shape.
    #[test]
    fn views_lie_in_the_unit_range(
        sample: u32,
        gray: bool,
        height in 4usize..20,
        width in 4usize..20,
        size in proptest::option::of(4usize..24),
    ) {
        let shape = Shape { channels: if gray { 1 } else { 3 }, height, width };
        let normalize = Some(Normalize { mean: vec![0.0], std: vec![1.0] });
        let config = ViewConfig { normalize, size, ..everything() };
        let key = RandomKey::new(3, Stream::View).sample(sample);
        let out = render(&config, shape, &picture(shape, sample % 999), key);
        prop_assert!(out.iter().all(|v| (-1e-6..=1.0 + 1e-6).contains(v)));
    }

    /// A row depends on its own key alone: not on the other rows, their order, or used scratch.
    #[test]
    fn a_row_is_a_function_of_seed_epoch_id_and_view(epoch in 1u32..50, numbers in proptest::collection::vec(0u32..20, 1..12)) {
        let source = source();
        let batch = source.batch(&ids(numbers.clone()), epoch, 2).unwrap();
        let row = 3 * 12 * 12;
        prop_assert_eq!(batch.shape, [2 * numbers.len(), 3, 12, 12]);
        for (at, &number) in numbers.iter().enumerate() {
            let alone = source.batch(&ids([number]), epoch, 2).unwrap();
            for view in 0..2 {
                let start = (view * numbers.len() + at) * row;
                prop_assert_eq!(bits(&batch.data[start..start + row]), bits(&alone.data[view * row..(view + 1) * row]));
            }
        }
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let source = source();
    let all = order(1, 1, 20);
    let expected = bits(&source.batch_on_this_thread(&all, &[], 3, 2).unwrap().data);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(
            bits(&pool.install(|| source.batch(&all, 3, 2)).unwrap().data),
            expected
        );
    }
    let other_epoch = source.batch(&all, 4, 2).unwrap();
    let other_seed = ViewSource::clone(&source);
    assert_ne!(bits(&other_epoch.data), expected);
    let reseeded = other_seed.views().clone().with_seed(6);
    let data = DataSet {
        train: set(20, colour(16), 1),
        held_out: set(7, colour(16), 99),
    };
    let reseeded = ViewSource::new(Arc::new(data), Split::Train, reseeded);
    assert_ne!(bits(&reseeded.batch(&all, 3, 2).unwrap().data), expected);
}

#[test]
fn the_prefetcher_hands_out_the_same_batches() {
    let source = Arc::new(source());
    let plan = batches(&order(9, 2, 20), 3, false);
    for threads in [1, 2, 4] {
        let fetcher =
            Prefetcher::start(Arc::clone(&source), plan.clone(), 0, 2, 2, 3, threads).unwrap();
        let fetched: Vec<_> = fetcher.map(Result::unwrap).collect();
        assert_eq!(fetched.len(), 7);
        for (batch, ids) in fetched.iter().zip(&plan) {
            let expected = source.batch(ids, 2, 2).unwrap();
            assert_eq!(batch.ids, *ids);
            assert_eq!(bits(&batch.data), bits(&expected.data));
        }
    }
    let rest = Prefetcher::start(Arc::clone(&source), plan.clone(), 5, 2, 2, 3, 2).unwrap();
    assert_eq!(rest.map(|b| b.unwrap().ids).collect::<Vec<_>>(), plan[5..]);
    let mut wrong = Prefetcher::start(source, vec![ids([20])], 0, 2, 2, 3, 2).unwrap();
    let message = wrong.next().unwrap().unwrap_err().to_string();
    assert_eq!(
        message,
        "sample 20 is not in the training split, which holds 20 samples; ids run from 0"
    );
}

#[test]
fn without_operations_the_view_is_the_picture() {
    for shape in [
        colour(9),
        Shape {
            channels: 1,
            height: 5,
            width: 11,
        },
    ] {
        let image = picture(shape, 4);
        let key = RandomKey::new(1, Stream::View);
        let out = render(&unnormalised(Preset::None), shape, &image, key);
        let back: Vec<u8> = out.iter().map(|v| (v * 255.0).round() as u8).collect();
        assert_eq!(back, image);
        assert!(
            out.iter()
                .zip(&image)
                .all(|(v, &b)| (v - f32::from(b) / 255.0).abs() < 1e-7)
        );
    }
}

/// A flip of the flipped picture is the picture; crop and size play no part.
#[test]
fn flips_are_their_own_inverse() {
    let shape = Shape {
        channels: 3,
        height: 5,
        width: 7,
    };
    let image = picture(shape, 8);
    let key = RandomKey::new(1, Stream::View);
    let bytes = |values: Vec<f32>| {
        values
            .iter()
            .map(|v| (v * 255.0).round() as u8)
            .collect::<Vec<_>>()
    };
    for (horizontal, vertical) in [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let mut config = unnormalised(Preset::None);
        config.horizontal_flip = Some(horizontal);
        config.vertical_flip = Some(vertical);
        let once = bytes(render(&config, shape, &image, key));
        assert_ne!(once, image);
        assert_eq!(bytes(render(&config, shape, &once, key)), image);
    }
}

/// Planes are handled alike. Solarization is left out: it may tell apart what differs by rounding.
#[test]
fn gray_pictures_stay_gray() {
    let shape = colour(10);
    let config = ViewConfig {
        solarize: None,
        ..everything()
    };
    let plane = picture(
        Shape {
            channels: 1,
            height: 10,
            width: 10,
        },
        3,
    );
    let image: Vec<u8> = plane.iter().chain(&plane).chain(&plane).copied().collect();
    for sample in 0..50 {
        let key = RandomKey::new(2, Stream::View).sample(sample);
        let out = render(&config, shape, &image, key);
        let third = out.len() / 3;
        assert!((0..third).all(|at| {
            (out[at] - out[at + third]).abs() < 2e-5 && (out[at] - out[at + 2 * third]).abs() < 2e-5
        }));
    }
}

#[test]
fn probe_views_are_apart_from_training_and_the_splits_from_each_other() {
    let shape = colour(8);
    // The same pictures in both splits, so that only the keys differ.
    let data = Arc::new(DataSet {
        train: set(4, shape, 1),
        held_out: set(4, shape, 1),
    });
    let views = Views::new(&ViewConfig::preset(Preset::Weak), shape, 3).unwrap();
    let of = |split| ViewSource::new(Arc::clone(&data), split, views.clone());
    let (train, held_out) = (of(Split::Train), of(Split::HeldOut));
    let some = ids([2, 0]);
    let probe = train.probe_batch(&some, 3).unwrap();
    assert_ne!(probe.data, held_out.probe_batch(&some, 3).unwrap().data);
    assert_ne!(probe.data, train.batch(&some, 0, 3).unwrap().data);

    let store = SampleStore::new(Arc::clone(&data), views.clone(), Device::flex());
    assert_eq!(store.len(Split::Train), 4);
    let tensor = store.probe_views(Split::Train, &some, 3).unwrap();
    assert_eq!(tensor.dims(), [6, 3, 8, 8]);
    let sample_major = tensor.into_data().try_to_vec::<f32>().unwrap();
    let row = shape.len();
    for (sample, view) in (0..2).flat_map(|s| (0..3).map(move |v| (s, v))) {
        let (major, minor) = ((sample * 3 + view) * row, (view * 2 + sample) * row);
        assert_eq!(
            sample_major[major..major + row],
            probe.data[minor..minor + row]
        );
    }
    assert_eq!(
        probe
            .tensor(&Device::flex())
            .into_data()
            .try_to_vec::<f32>()
            .unwrap(),
        probe.data
    );

    let (width, height, rgb) = store.picture(Split::HeldOut, SampleId(3)).unwrap();
    assert_eq!((width, height, rgb.len()), (8, 8, 192));
    assert!(store.picture(Split::HeldOut, SampleId(4)).is_err());
    assert!(store.probe_views(Split::Train, &ids([4]), 1).is_err());
}

#[test]
fn plain_batches_are_resized_and_normalised_pictures() {
    let shape = colour(6);
    let data = DataSet {
        train: set(2, shape, 1),
        held_out: set(2, shape, 2),
    };
    let config = ViewConfig {
        normalize: Some(Normalize {
            mean: vec![0.1, 0.2, 0.3],
            std: vec![0.5, 0.25, 2.0],
        }),
        crop: Some(Crop {
            scale: [0.1, 0.2],
            ratio: [1.0, 1.0],
            p: 1.0,
        }),
        ..ViewConfig::preset(Preset::Strong)
    };
    let views = Views::new(&config, shape, 3).unwrap();
    let source = ViewSource::new(Arc::new(data), Split::HeldOut, views);
    let batch = source.plain_batch(&ids([1])).unwrap();
    let image = source.images().image(SampleId(1)).unwrap();
    for (at, (&value, &byte)) in batch.data.iter().zip(image.pixels.iter()).enumerate() {
        let (mean, std) = [(0.1, 0.5), (0.2, 0.25), (0.3, 2.0)][at / 36];
        assert!((value - (f32::from(byte) / 255.0 - mean) / std).abs() < 1e-5);
    }
}

#[test]
fn settings_that_do_not_fit_the_images_are_refused() {
    let gray = Shape {
        channels: 1,
        height: 8,
        width: 8,
    };
    let mut config = ViewConfig::preset(Preset::Normal);
    config.normalize = Some(Normalize {
        mean: vec![0.5; 3],
        std: vec![0.5; 3],
    });
    let message = Views::new(&config, gray, 1).unwrap_err().to_string();
    assert!(message.starts_with("views.normalize"), "{message}");
    config.normalize = None;
    config.blur = Some(Blur {
        kernel: 17,
        sigma: [1.0, 1.0],
        p: 1.0,
    });
    let message = Views::new(&config, gray, 1).unwrap_err().to_string();
    assert!(message.starts_with("views.blur.kernel"), "{message}");
}

#[test]
fn a_reference_batch_differs_in_the_places_of_candidates_alone() {
    let shape = colour(10);
    let data = Arc::new(DataSet {
        train: set(12, shape, 1),
        held_out: set(2, shape, 2),
    });
    let sets = Arc::new(PairSets::choose(12, 3, PairChoice::Random, 4).unwrap());
    let of = |config: &ViewConfig| {
        let views = Views::new(config, shape, 3).unwrap();
        let source = ViewSource::new(Arc::clone(&data), Split::Train, views);
        (source.clone(), source.for_reference(Arc::clone(&sets)))
    };
    let (studied, reference) = of(&everything());
    let members = sets.members();
    let ours = studied.batch(&members, 2, 2).unwrap();
    let theirs = reference.batch(&members, 2, 2).unwrap();
    assert_eq!(
        reference.batch_on_this_thread(&members, &[], 2, 2).unwrap(),
        theirs
    );
    let row_len = ours.data.len() / (2 * members.len());
    let rows = ours.data.chunks(row_len).zip(theirs.data.chunks(row_len));
    for (row, (ours, theirs)) in rows.enumerate() {
        let candidate = sets.partner(members[row % members.len()]).is_some();
        assert_eq!(ours != theirs, candidate, "row {row}");
    }
    // Without augmentation the partner's own picture stands there.
    let (studied, reference) = of(&ViewConfig {
        preset: Preset::None,
        ..ViewConfig::default()
    });
    assert_eq!(
        reference.batch(&sets.candidates, 1, 1).unwrap().data,
        studied.batch(&sets.independent, 1, 1).unwrap().data
    );
    // Probes and evaluation ask for a picture by its id and get that picture.
    assert_eq!(
        reference.plain_batch(&members).unwrap(),
        studied.plain_batch(&members).unwrap()
    );
}

#[test]
fn a_sample_that_stands_again_has_other_views_and_a_resume_finds_them() {
    let source = Arc::new(source());
    let plan = vec![ids([3, 5]), ids([5, 3]), ids([3, 3])];
    let start = |done| {
        let fetcher = Prefetcher::start(Arc::clone(&source), plan.clone(), done, 2, 2, 3, 2);
        let batches: Vec<_> = fetcher.unwrap().map(Result::unwrap).collect();
        batches
    };
    let whole = start(0);
    let row = whole[0].data.len() / 4;
    let view = |batch: usize, row_at: usize| bits(&whole[batch].data[row_at * row..][..row]);
    let of_three = [view(0, 0), view(1, 1), view(2, 0), view(2, 1)];
    for (at, one) in of_three.iter().enumerate() {
        assert!(
            of_three[at + 1..].iter().all(|other| other != one),
            "pass {at}"
        );
    }
    // The first time is what it was before passes were counted.
    assert_eq!(
        bits(&whole[0].data),
        bits(&source.batch(&plan[0], 2, 2).unwrap().data)
    );
    for (straight, resumed) in whole[1..].iter().zip(start(1)) {
        assert_eq!(bits(&straight.data), bits(&resumed.data));
    }
}
