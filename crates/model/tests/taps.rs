//! Taps see what is there and change nothing.

mod fixture;

use std::cell::RefCell;

use afterimage_hooks::{Reduce, TapMode, TapPlan, TapSpec};
use afterimage_model::{Encoder, ResNet9, ResNet9Config, Taps, seeded};
use burn::tensor::{Device, Tensor, s};
use fixture::{AnyResult, bits, by_path, chirped, host, loss, plain};

fn model(device: &Device) -> ResNet9 {
    let config = ResNet9Config {
        channels: 3,
        width: 0.125,
        ..ResNet9Config::default()
    };
    seeded(device, 11, || config.init(device))
}

fn every_mode() -> [TapSpec; 4] {
    [
        TapSpec::units("*"),
        TapSpec::units("*").reduce(Reduce::MeanSpaceRelu),
        TapSpec::units("*").reduce(Reduce::MeanSpaceAbs),
        TapSpec::gate("*"),
    ]
}

#[test]
fn no_tap_changes_a_bit_of_the_loss_or_of_any_gradient() -> AnyResult {
    let device = Device::flex().autodiff();
    let images = chirped([5, 3, 32, 32], 0.0, &device);
    let run = |specs: Option<&[TapSpec]>| -> Result<_, Box<dyn std::error::Error>> {
        let model = model(&device);
        let mut taps = match specs {
            Some(specs) => Taps::new(&TapPlan::new(specs, &model.sites())),
            None => Taps::none(),
        };
        let loss = loss(model.encode(images.clone(), &mut taps));
        let gradients = loss.backward();
        assert_eq!(taps.unvisited(), Vec::<&str>::new());
        let gradients: Vec<_> = by_path(&model, Some(&gradients))
            .into_iter()
            .filter_map(|(path, value)| value.map(|value| (path, value)))
            .map(|(path, value)| {
                (
                    path,
                    value.into_iter().map(f32::to_bits).collect::<Vec<_>>(),
                )
            })
            .collect();
        Ok((bits(loss)?, gradients))
    };
    let untouched = run(None)?;
    assert_eq!(
        untouched.1.len(),
        32,
        "four parameters in each of eight blocks"
    );
    let all = every_mode();
    for specs in [&all[..1], &all[..3], &all[3..], &all[..]] {
        assert!(run(Some(specs))? == untouched, "{specs:?}");
    }
    let model = model(&device);
    let composed = loss(plain(&model, images.clone(), &mut |_, x| x));
    let [composed] = host(composed.inner())?[..] else {
        return Err("a loss is one number".into());
    };
    let loss = f32::from_bits(untouched.0[0]);
    assert!(
        (composed - loss).abs() <= 1e-4 * loss.abs(),
        "{loss} here, {composed} by burn's operations"
    );
    Ok(())
}

#[test]
fn readings_are_means_of_the_true_forward_at_every_site() -> AnyResult {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let images = chirped([3, 3, 20, 24], 0.0, &device);
    let sites = model.sites();
    let mut taps = Taps::new(&TapPlan::new(&every_mode()[..3], &sites));
    model.encode(images.clone(), &mut taps);
    let readings = taps.into_readings();
    let seen = RefCell::new(Vec::new());
    plain(&model, images, &mut |site, x| {
        seen.borrow_mut().push((site.to_owned(), x.clone()));
        x
    });
    let seen = seen.into_inner();
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    let passed: Vec<&str> = seen.iter().map(|(site, _)| site.as_str()).collect();
    assert_eq!(names, passed, "sites are listed in forward order");
    for (site, x) in seen {
        let [rows, units, height, width] = x.dims();
        let values = host(x.inner())?;
        for (reduce, map) in [
            (Reduce::MeanSpace, (|a| a) as fn(f64) -> f64),
            (Reduce::MeanSpaceRelu, |a| a.max(0.0)),
            (Reduce::MeanSpaceAbs, f64::abs),
        ] {
            let reading = readings
                .get(&site, TapMode::Read(reduce))
                .ok_or(site.clone())?;
            assert_eq!(reading.dims(), [rows, units], "{site}");
            assert!(!reading.is_autodiff(), "{site} is off the graph");
            let expected = values.chunks(height * width).map(|map_hw| {
                map_hw.iter().map(|&a| map(f64::from(a))).sum::<f64>() / map_hw.len() as f64
            });
            for (found, expected) in host(reading.clone())?.into_iter().zip(expected) {
                assert!(
                    (f64::from(found) - expected).abs() < 1e-4,
                    "{site} {reduce:?}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn units_are_channels_of_maps_and_features_of_tokens() -> AnyResult {
    let device = Device::flex();
    let plan = TapPlan {
        sites: ["map", "tokens", "layer"]
            .map(|site| (site.to_owned(), vec![TapMode::Read(Reduce::MeanSpace)]))
            .into(),
    };
    let mut taps = Taps::new(&plan);
    // Unit u holds u everywhere, so that a mean over the wrong axis cannot look right.
    let units = Tensor::<1>::from_floats([0.0, 1.0, 2.0, 3.0, 4.0], &device);
    taps.visit4(
        "map",
        units.clone().reshape([1, 5, 1, 1]).repeat(&[2, 1, 3, 7]),
    );
    taps.visit3(
        "tokens",
        units.clone().reshape([1, 1, 5]).repeat(&[2, 3, 1]),
    );
    taps.visit2("layer", units.reshape([1, 5]).repeat(&[2, 1]));
    let readings = taps.into_readings();
    for site in ["map", "tokens", "layer"] {
        let reading = readings
            .get(site, TapMode::Read(Reduce::MeanSpace))
            .ok_or(site)?;
        assert_eq!(reading.dims(), [2, 5]);
        let expected = [0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(host(reading.clone())?, expected, "{site}");
    }
    Ok(())
}

#[test]
fn saliency_is_the_sum_over_space_of_activation_times_gradient() -> AnyResult {
    let device = Device::flex().autodiff();
    let images = chirped([4, 3, 16, 16], 0.0, &device);
    let gated = model(&device);
    let sites = gated.sites();
    let mut taps = Taps::new(&TapPlan::new(&[TapSpec::gate("*")], &sites));
    let gradients = loss(gated.encode(images.clone(), &mut taps)).backward();
    let saliency = taps.saliency(&gradients);
    assert!(taps.readings().is_empty());

    // The other way: a probe of zeros is added at every site, and its gradient is dL/da.
    let probed = model(&device);
    let probes = RefCell::new(Vec::new());
    let embeddings = plain(&probed, images, &mut |site, x| {
        let probe = x.clone().inner().zeros_like().autodiff().require_grad();
        probes
            .borrow_mut()
            .push((site.to_owned(), x.clone(), probe.clone()));
        x + probe
    });
    let gradients = loss(embeddings).backward();
    assert_eq!(probes.borrow().len(), sites.len());
    for (site, a, probe) in probes.into_inner() {
        let positions = a.dims()[2] * a.dims()[3];
        let found = host(
            saliency
                .get(&site, TapMode::Gate)
                .ok_or(site.clone())?
                .clone(),
        )?;
        let a = host(a.inner())?;
        let gradient = host(probe.grad(&gradients).ok_or("no gradient")?)?;
        let expected: Vec<f64> = a
            .chunks(positions)
            .zip(gradient.chunks(positions))
            .map(|(a, g)| {
                a.iter()
                    .zip(g)
                    .map(|(&a, &g)| f64::from(a) * f64::from(g))
                    .sum()
            })
            .collect();
        let largest = expected.iter().fold(0.0, |m: f64, e| m.max(e.abs()));
        assert!(largest > 1e-3, "{site}: nothing to compare");
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(
                (f64::from(found) - expected).abs() < 1e-4 * largest,
                "{site}"
            );
        }
    }
    Ok(())
}

#[test]
fn passes_of_several_views_stack_their_rows() -> AnyResult {
    let device = Device::flex().autodiff();
    let model = model(&device);
    let views = [0.0, 1.0].map(|phase| chirped([2, 3, 16, 16], phase, &device));
    let plan = TapPlan::new(
        &[TapSpec::units("*.act"), TapSpec::gate("*.act")],
        &model.sites(),
    );
    let mut both = Taps::new(&plan);
    let total = views
        .clone()
        .map(|view| model.encode(view, &mut both).sum())
        .into_iter()
        .reduce(|a, b| a + b)
        .ok_or("no view")?;
    let saliency = both.saliency(&total.backward());
    let readings = both.into_readings();
    let read = TapMode::Read(Reduce::MeanSpace);
    for (v, view) in views.into_iter().enumerate() {
        let mut one = Taps::new(&plan);
        let gradients = model.encode(view, &mut one).sum().backward();
        let rows = s![(2 * v)..(2 * v + 2)];
        for (site, value) in one.readings().of_mode(read) {
            let stacked = readings.get(site, read).ok_or(site)?.clone();
            assert_eq!(bits(stacked.slice(rows))?, bits(value.clone())?, "{site}");
        }
        for (site, value) in one.saliency(&gradients).of_mode(TapMode::Gate) {
            let stacked = saliency.get(site, TapMode::Gate).ok_or(site)?.clone();
            assert_eq!(bits(stacked.slice(rows))?, bits(value.clone())?, "{site}");
        }
    }
    Ok(())
}

#[test]
fn a_gate_needs_autodiff_and_costs_nothing_without() -> AnyResult {
    let device = Device::flex();
    let model = model(&device);
    let images = chirped([2, 3, 16, 16], 0.0, &device);
    let mut taps = Taps::new(&TapPlan::new(&[TapSpec::gate("*")], &model.sites()));
    let gated = model.encode(images.clone(), &mut taps);
    assert_eq!(bits(gated)?, bits(model.encode(images, &mut Taps::none()))?);
    Ok(())
}
