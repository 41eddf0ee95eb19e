//! Masks hold units at exactly zero and leave the others alone.

mod fixture;

use std::collections::BTreeMap;

use afterimage_hooks::{ModelView, Reduce, Site, SiteKind, TapMode, TapPlan, TapSpec};
use afterimage_model::{
    Encoder, EncoderView, Masks, ModelError, ResNet9, ResNet9Config, Taps, seeded,
};
use burn::tensor::Device;
use fixture::{AnyResult, bits, by_path, chirped, host, loss};
use proptest::prelude::*;

const READ: TapMode = TapMode::Read(Reduce::MeanSpaceAbs);

fn model(device: &Device) -> ResNet9 {
    let config = ResNet9Config {
        channels: 1,
        width: 0.125,
        ..ResNet9Config::default()
    };
    seeded(device, 3, || config.init(device))
}

fn site<'a>(sites: &'a [Site], name: &str) -> Result<&'a Site, String> {
    sites
        .iter()
        .find(|site| site.name == name)
        .ok_or(name.to_owned())
}

#[test]
fn a_masked_unit_is_zero_forward_and_backward_and_its_neighbours_are_untouched() -> AnyResult {
    let device = Device::flex().autodiff();
    let images = chirped([4, 1, 28, 28], 0.0, &device);
    let free = model(&device);
    let sites = free.sites();
    let name = "encoder.layer2.act";
    let mut masks = Masks::none();
    masks.prune(site(&sites, name)?, &[0, 5])?;
    masks.check(&sites)?;
    let plan = TapPlan::new(&[TapSpec::units(name).reduce(Reduce::MeanSpaceAbs)], &sites);

    let mut before = Taps::new(&plan);
    free.encode(images.clone(), &mut before);
    let masked = model(&device);
    let mut after = Taps::new(&plan).with_masks(&masks);
    let gradients = loss(masked.encode(images, &mut after)).backward();

    let read = |taps: Taps| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
        host(
            taps.into_readings()
                .get(name, READ)
                .ok_or("unread")?
                .clone(),
        )
    };
    let (before, after) = (read(before)?, read(after)?);
    let kept = masks.get(name).ok_or("no mask")?;
    for (i, (before, after)) in before.iter().zip(&after).enumerate() {
        let expected = if kept[i % kept.len()] { *before } else { 0.0 };
        assert_eq!(after.to_bits(), expected.to_bits(), "value {i}");
    }
    let masked_before: f32 = before.iter().step_by(kept.len()).sum();
    assert!(masked_before > 0.0, "unit 0 was alive without the mask");

    for (path, gradient) in by_path(&masked, Some(&gradients)) {
        let Some(gradient) = gradient.filter(|_| path.starts_with("layer2.")) else {
            continue;
        };
        for (unit, row) in gradient.chunks(gradient.len() / kept.len()).enumerate() {
            let zero = row.iter().all(|g| *g == 0.0);
            assert!(kept[unit] || zero, "{path} of unit {unit}");
            assert!(
                !kept[unit] || path.ends_with("conv.bias") || !zero,
                "{path} of unit {unit}"
            );
        }
    }
    Ok(())
}

#[test]
fn masks_that_keep_every_unit_change_no_bit() -> AnyResult {
    let device = Device::flex().autodiff();
    let images = chirped([4, 1, 28, 28], 0.0, &device);
    let run = |masks: &Masks| -> Result<_, Box<dyn std::error::Error>> {
        let model = model(&device);
        let mut taps = Taps::none().with_masks(masks);
        let loss = loss(model.encode(images.clone(), &mut taps));
        let gradients = by_path(&model, Some(&loss.backward()));
        Ok((bits(loss)?, gradients))
    };
    let mut identity = Masks::none();
    for site in model(&device).sites() {
        identity.set(site.name, vec![true; site.units]);
    }
    assert!(identity.is_empty());
    let without = run(&Masks::none())?;
    assert!(run(&identity)? == without);
    let mut one = identity.clone();
    one.prune(site(&model(&device).sites(), "encoder.res2")?, &[1])?;
    assert!(run(&one)? != without);
    Ok(())
}

#[test]
fn a_view_observes_through_its_masks_and_outlives_training() -> AnyResult {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let mut masks = Masks::none();
    masks.prune(site(&model.sites(), "encoder.res2")?, &[2])?;
    let view = EncoderView::new(&model, &masks);
    let images = chirped([3, 1, 28, 28], 0.0, &device);
    let plan = TapPlan::new(&[TapSpec::units("encoder.res2")], view.sites());
    let first = view.observe(images.clone(), &plan)?;
    model.encode(images.clone(), &mut Taps::none());
    let second = view.observe(images, &plan)?;
    assert!(!first.embeddings.is_autodiff());
    let embeddings = host(first.embeddings)?;
    assert!(
        embeddings
            .iter()
            .skip(2)
            .step_by(32)
            .all(|value| *value == 0.0)
    );
    assert_eq!(embeddings, host(second.embeddings)?);
    assert!(!first.readings.is_empty());
    Ok(())
}

#[test]
fn masks_for_another_model_are_refused_in_words() {
    let site = |name: &str, units| Site {
        name: name.to_owned(),
        kind: SiteKind::Activation,
        units,
        produced_by: Vec::new(),
        consumed_by: Vec::new(),
    };
    let mut masks = Masks::none();
    let beyond = masks.prune(&site("a", 4), &[4]);
    assert_eq!(
        beyond.map_err(|error| error.to_string()),
        Err("mask: site `a` has units 0 to 3, not 4".to_owned())
    );
    assert!(masks.is_empty());
    assert_eq!(masks.prune(&site("a", 4), &[1]), Ok(()));
    assert!(matches!(
        masks.check(&[site("b", 4)]),
        Err(ModelError::UnknownSite { .. })
    ));
    assert!(matches!(
        masks.check(&[site("a", 5)]),
        Err(ModelError::MaskLength { .. })
    ));
    assert_eq!(masks.check(&[site("b", 1), site("a", 4)]), Ok(()));
}

fn masks() -> impl Strategy<Value = Masks> {
    // Site "s<n>" has n units, so that any two masks fit together.
    proptest::collection::btree_map(1usize..5, any::<u8>(), 0..4).prop_map(|sites| {
        sites
            .into_iter()
            .map(|(n, code)| {
                (
                    format!("s{n}"),
                    (0..n).map(|u| code >> u & 1 == 1).collect(),
                )
            })
            .collect::<BTreeMap<_, Vec<bool>>>()
            .into()
    })
}

proptest! {
    #[test]
    fn union_is_a_commutative_idempotent_monoid(a in masks(), b in masks(), c in masks()) {
        let union = |x: &Masks, y: &Masks| x.union(y);
        prop_assert_eq!(union(&a, &a), Ok(a.clone()));
        prop_assert_eq!(union(&a, &Masks::none()), Ok(a.clone()));
        prop_assert_eq!(union(&a, &b), union(&b, &a));
        let left = union(&a, &b).and_then(|ab| ab.union(&c));
        let right = union(&b, &c).and_then(|bc| a.union(&bc));
        prop_assert_eq!(&left, &right);
        let ab = union(&a, &b).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert!(ab.pruned() >= a.pruned().max(b.pruned()));
        prop_assert!(ab.pruned() <= a.pruned() + b.pruned());
    }

    #[test]
    fn applying_a_union_is_applying_one_after_the_other(a in masks(), b in masks()) {
        let device = Device::flex();
        let ab = a.union(&b).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for n in 1..5 {
            let name = format!("s{n}");
            let x = chirped([2, n, 3, 3], 0.2, &device);
            let one = Taps::none().with_masks(&a).visit4(&name, x.clone());
            let both = Taps::none().with_masks(&b).visit4(&name, one);
            let union = Taps::none().with_masks(&ab).visit4(&name, x);
            prop_assert_eq!(host(both).ok(), host(union).ok());
        }
    }

    #[test]
    fn masks_survive_serialisation(a in masks()) {
        let text = serde_json::to_string(&a).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let back: Masks =
            serde_json::from_str(&text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(back, a);
    }
}
