//! Units of a transformer are neurons, averaged over tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{Fault, Reduce, SampleId, Samples, SiteKind, Split, TapSpec};
use afterimage_memory::{Form, Probe};
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, EncoderView, Masks, Taps, VitConfig, VitSize,
};
use burn::tensor::{Device, Tensor, TensorData};

/// Pictures of 16 × 16 whose pixels are a function of sample, view and place.
struct Pictures;

impl Pictures {
    fn view(id: SampleId, view: u32) -> Vec<f32> {
        let phase = f64::from(id.0) * 1.7 + f64::from(view) * 0.3;
        (0..3 * 16 * 16)
            .map(|i| (0.7 * f64::from(i) + 0.013 * f64::from(i * i) + phase).sin() as f32)
            .collect()
    }
}

impl Samples for Pictures {
    fn len(&self, _split: Split) -> usize {
        6
    }
    fn probe_views(
        &self,
        _split: Split,
        ids: &[SampleId],
        views: usize,
    ) -> Result<Tensor<4>, Fault> {
        let rows: Vec<f32> = ids
            .iter()
            .flat_map(|id| (0..views as u32).flat_map(|view| Self::view(*id, view)))
            .collect();
        let data = TensorData::new(rows, [ids.len() * views, 3, 16, 16]);
        Ok(Tensor::from_data(data, &Device::flex()))
    }
    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        self.probe_views(split, ids, 1)
    }
    fn picture(&self, _split: Split, _id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        Err(Fault::new("no pictures here"))
    }
}

/// Five tokens (four patches and the class token) of 192 features: no count can be taken for another.
#[test]
fn a_unit_of_a_transformer_is_a_neuron_and_not_a_token() {
    let device = Device::flex();
    let config = EncoderConfig::Vit(VitConfig {
        size: VitSize::Tiny,
        patch: 8,
        depth: 2,
        side: Some(16),
        ..VitConfig::default()
    });
    let encoder = config.init(1, &device).unwrap();
    let model = EncoderView::new(&encoder, &Masks::default());
    let probe = Probe {
        tap: TapSpec::units("encoder.*").reduce(Reduce::MeanSpaceAbs),
        form: Form::Paper,
        views: 3,
        batch: 4,
    };
    let ids: Vec<SampleId> = (0..6).map(SampleId).collect();
    let measured = probe
        .measure(&model, &Pictures, Split::Train, &ids)
        .unwrap();
    assert_eq!(measured.len(), encoder.sites().len());
    for (site, measured) in encoder.sites().iter().zip(&measured) {
        let units = measured.points.state().units();
        let expected = match (site.kind, site.name.ends_with("fc1")) {
            (SiteKind::Activation, _) | (_, true) => 4 * 192,
            _ => 192,
        };
        assert_eq!(units, expected, "{}", site.name);
        assert_eq!(measured.points.unitmem().scores().len(), expected);
    }

    // The last site by hand: the mean over all tokens, the class token among them, of |a|, then over
    // views.
    let AnyEncoder::Vit(vit) = &encoder else {
        panic!("a transformer")
    };
    let views = Pictures.probe_views(Split::Train, &ids, 3).unwrap();
    let tokens = vit.tokens(views, &mut Taps::none());
    assert_eq!(tokens.dims(), [18, 5, 192]);
    let rows: Vec<f32> = tokens.into_data().convert::<f32>().try_into_vec().unwrap();
    let activation = |point: usize, unit: usize| {
        let mut sum = 0.0;
        for row in 3 * point..3 * point + 3 {
            for token in 0..5 {
                sum += f64::from(rows[(row * 5 + token) * 192 + unit]).abs();
            }
        }
        sum / 15.0
    };
    let last = measured.iter().find(|m| m.site == "encoder.norm").unwrap();
    for unit in 0..192 {
        let mut column: Vec<f64> = (0..6).map(|point| activation(point, unit)).collect();
        column.sort_by(f64::total_cmp);
        let rest = column[..5].iter().sum::<f64>() / 5.0;
        let expected = (column[5] - rest) / (column[5] + rest);
        let got = last.points.unitmem().scores()[unit].value().unwrap();
        assert!((got - expected).abs() < 1e-4, "{unit}: {got} {expected}");
    }
}
