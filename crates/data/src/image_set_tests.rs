#![allow(clippy::unwrap_used)]

use super::*;

fn set(labels: &[u32], classes: usize, channels: usize) -> ImageSet {
    let shape = Shape {
        channels,
        height: 2,
        width: 3,
    };
    let pixels = (0..labels.len() * shape.len()).map(|i| i as u8).collect();
    let names = (0..classes).map(|c| format!("c{c}")).collect();
    ImageSet::new(pixels, labels.to_vec(), names, shape).unwrap()
}

#[test]
fn gray_images_in_colour_have_three_equal_planes() {
    let gray = set(&[0, 1], 2, 1);
    let colour = gray.clone().in_colour();
    assert_eq!(colour.shape().channels, 3);
    for id in [0, 1].map(SampleId) {
        let plane = gray.image(id).unwrap().pixels;
        assert_eq!(*colour.image(id).unwrap().pixels, plane.repeat(3));
        assert_eq!(colour.picture(id).unwrap(), gray.picture(id).unwrap());
    }
    assert_eq!(colour.clone().in_colour(), colour);
}

#[test]
fn a_limit_takes_the_first_of_each_class_in_file_order() {
    let all = set(&[1, 1, 0, 1, 0, 2, 2, 0], 3, 1);
    let some = all.first_balanced(5).unwrap();
    assert_eq!(some.labels(), [1, 1, 0, 0, 2]);
    let positions: Vec<_> = (0..5)
        .map(|id| some.position(SampleId(id)).unwrap())
        .collect();
    assert_eq!(positions, [0, 1, 2, 4, 5]);
    for id in 0..5 {
        let position = SampleId(positions[id as usize]);
        assert_eq!(
            some.image(SampleId(id)).unwrap(),
            all.image(position).unwrap()
        );
    }
    assert!(some.image(SampleId(5)).is_err());
    let error = set(&[0, 0, 0, 0, 1], 2, 1).first_balanced(4).unwrap_err();
    assert!(
        error.contains("needs 2 of class \"c1\", which has 1"),
        "{error}"
    );
    for limit in [8, 9, usize::MAX] {
        assert_eq!(all.first_balanced(limit), Ok(all.clone()));
    }
    assert!(all.first_balanced(0).is_err());
    let names = (0..8).map(|n| format!("{n}.png")).collect();
    let named = all.clone().named(SampleNames::Files(names));
    let some = named.first_balanced(5).unwrap();
    let name = |id| some.name(SampleId(id)).map(|name| name.to_string());
    assert_eq!(name(3).as_deref(), Some("4.png"));
    assert_eq!(name(5), None);
    let gap = set(&[2, 0, 2, 0], 3, 1);
    assert_eq!(gap.first_balanced(3).unwrap().labels(), [2, 0, 0]);
}

#[test]
fn a_sample_is_named_by_what_it_shows() {
    let names = (0..6).map(|n| format!("{n}.png")).collect();
    let all = set(&[0, 1, 0, 1, 0, 1], 2, 1).named(SampleNames::Files(names));
    let picture = |id, shows: Option<u32>| Replacement {
        id: SampleId(id),
        pixels: vec![9; 6],
        label: 0,
        shows: shows.map(SampleId),
    };
    let name = |set: &ImageSet, id| set.name(SampleId(id)).map(|name| name.to_string());
    // Sample 4 is a copy of a copy.
    let pictures = [picture(2, Some(0)), picture(4, Some(2)), picture(5, None)];
    let planted = all.clone().replaced(pictures).unwrap();
    let told: Vec<_> = (0..6).map(|id| name(&planted, id)).collect();
    let file = |n: u32| Some(format!("{n}.png"));
    assert_eq!(
        told,
        [file(0), file(1), file(0), file(3), file(0), None],
        "{told:?}"
    );
    // A limit behind it keeps what is shown, also where the picture itself is left out.
    let some = planted.first_balanced(3).unwrap();
    assert_eq!(
        [0, 1, 2].map(|id| name(&some, id)),
        [file(0), file(1), file(0)]
    );
    assert!(all.clone().replaced([picture(1, Some(6))]).is_err());
    assert!(all.replaced([picture(6, None)]).is_err());
}

#[test]
fn a_picture_is_interleaved_rgb() {
    let colour = set(&[0, 0], 1, 3);
    let rgb = colour.picture(SampleId(1)).unwrap();
    assert_eq!(rgb[..6], [18, 24, 30, 19, 25, 31]);
    let gray = set(&[0], 1, 1);
    assert_eq!(gray.picture(SampleId(0)).unwrap()[..6], [0, 0, 0, 1, 1, 1]);
    assert!(gray.picture(SampleId(1)).is_err());
}

#[test]
fn the_digest_tells_pixels_labels_and_shapes_apart() {
    let one = set(&[0, 1], 2, 1);
    let other_labels = set(&[1, 0], 2, 1);
    let mut turned = one.clone();
    turned.shape = Shape {
        channels: 1,
        height: 3,
        width: 2,
    };
    let mut pixel = one.clone();
    let Pixels::Planes(planes) = &mut pixel.pixels else {
        return;
    };
    planes[11] ^= 1;
    let mut digests: Vec<_> = [&one, &other_labels, &turned, &pixel]
        .map(|s| s.digest())
        .into();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 4);
    assert_eq!(one.digest(), set(&[0, 1], 2, 1).digest());
}

#[test]
fn other_labels_keep_the_truth_apart() {
    let clean = set(&[0, 1, 1], 2, 1);
    let noisy = clean.clone().relabelled(vec![1, 1, 0]).unwrap();
    assert_eq!(noisy.labels(), [1, 1, 0]);
    assert_eq!(noisy.true_labels(), [0, 1, 1]);
    assert_eq!(clean.true_labels(), clean.labels());
    assert_ne!(noisy.digest(), clean.digest());
    assert!(clean.clone().relabelled(vec![0, 1]).is_err());
    assert!(clean.relabelled(vec![0, 1, 2]).is_err());
    assert!(noisy.relabelled(vec![0, 0, 0]).is_err());
}

#[test]
fn sets_that_do_not_fit_together_are_refused() {
    let shape = Shape {
        channels: 1,
        height: 2,
        width: 2,
    };
    let names = || vec!["a".to_owned()];
    assert!(ImageSet::new(vec![0; 4], vec![0], names(), shape).is_ok());
    assert!(ImageSet::new(vec![0; 5], vec![0], names(), shape).is_err());
    assert!(ImageSet::new(vec![0; 4], vec![1], names(), shape).is_err());
    assert!(ImageSet::new(vec![], vec![], names(), shape).is_err());
    let two = Shape {
        channels: 2,
        ..shape
    };
    assert!(ImageSet::new(vec![0; 8], vec![0], names(), two).is_err());
}
