//! What a probe of ResNet-9 costs beyond its bare forward passes, by points in a forward pass:
//!
//!     cargo bench -p afterimage-memory --bench probe -- [POINTS] [ROUNDS] [BATCH]…
//!
//! `bare`: untapped forwards over rendered views. `probe / bare` holds taps, reading back, means
//! and scores, with views rendered beforehand; `with views` adds rendering.

#![allow(missing_docs, reason = "a benchmark has no interface")]
#![allow(clippy::print_stdout, reason = "the lines are the result")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use afterimage_data::{DataSet, ImageSet, Preset, SampleStore, Shape, ViewConfig, Views};
use afterimage_hooks::{Fault, ModelView, SampleId, Samples, Split, TapPlan, TapSpec};
use afterimage_memory::{ActMap, Form, Probe};
use afterimage_model::{EncoderView, Masks, ResNet9Config, seeded};
use afterimage_numeric::upper_median;
use burn::tensor::{Device, Tensor};

const VIEWS: usize = 10;

fn images(count: usize) -> Result<ImageSet, String> {
    let shape = Shape {
        channels: 3,
        height: 32,
        width: 32,
    };
    let noise = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    let pixels = (0..(count * shape.len()) as u32).map(noise).collect();
    ImageSet::new(pixels, vec![0; count], vec!["noise".to_owned()], shape)
}

/// Views that are ready, by their first sample.
struct Ready(BTreeMap<SampleId, Tensor<4>>);

impl Samples for Ready {
    fn len(&self, _split: Split) -> usize {
        0
    }
    fn probe_views(
        &self,
        _split: Split,
        ids: &[SampleId],
        _views: usize,
    ) -> Result<Tensor<4>, Fault> {
        let views = ids.first().and_then(|first| self.0.get(first));
        views.cloned().ok_or_else(|| Fault::new("not rendered"))
    }
    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        self.probe_views(split, ids, 1)
    }
    fn picture(&self, _split: Split, _id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        Err(Fault::new("no pictures here"))
    }
}

fn median(times: Vec<f64>) -> f64 {
    upper_median(times).unwrap_or(f64::NAN)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let points: usize = arguments.next().map_or(Ok(64), |a| a.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |a| a.parse())?;
    let mut batches: Vec<usize> = arguments.map(|a| a.parse()).collect::<Result<_, _>>()?;
    if batches.is_empty() {
        batches = vec![1, 4, 16, 64];
    }
    let device = Device::flex();
    let data = Arc::new(DataSet {
        train: images(points)?,
        held_out: images(1)?,
    });
    let views = Views::new(&ViewConfig::preset(Preset::Normal), data.train.shape(), 1)?;
    let store = SampleStore::new(data, views, device.clone());
    let config = ResNet9Config {
        channels: 3,
        width: 1.0,
        ..ResNet9Config::default()
    };
    let encoder = seeded(&device, 1, || config.init(&device));
    let model = EncoderView::new(&encoder, &Masks::default());
    let ids: Vec<SampleId> = (0..points as u32).map(SampleId).collect();
    println!("{points} points, {VIEWS} views, median of {rounds} rounds");
    println!("batch  bare ms/image  probe / bare  with views / bare");
    for batch in batches {
        let probe = Probe {
            tap: TapSpec::units("encoder.*")
                .kind(afterimage_hooks::SiteKind::Activation)
                .reduce(ActMap::Raw.reduce()),
            form: Form::Paper,
            views: VIEWS,
            batch,
        };
        let mut ready = BTreeMap::new();
        for ids in ids.chunks(batch) {
            ready.insert(ids[0], store.probe_views(Split::Train, ids, VIEWS)?);
        }
        let ready = Ready(ready);
        let (mut bare, mut lean, mut full) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let start = Instant::now();
            for views in ready.0.values() {
                let seen = model.observe(views.clone(), &TapPlan::default())?;
                seen.embeddings.try_into_data()?;
            }
            bare.push(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let measured = probe.measure(&model, &ready, Split::Train, &ids)?;
            let units: usize = measured
                .iter()
                .map(|m| m.points.unitmem().scores().len())
                .sum();
            lean.push(start.elapsed().as_secs_f64());
            assert_eq!(units, 1120);
            let start = Instant::now();
            probe.measure(&model, &store, Split::Train, &ids)?;
            full.push(start.elapsed().as_secs_f64());
        }
        let bare = median(bare);
        println!(
            "{batch:>5}  {:>13.3}  {:>12.3}  {:>17.3}",
            1e3 * bare / (points * VIEWS) as f64,
            median(lean) / bare,
            median(full) / bare,
        );
    }
    Ok(())
}
