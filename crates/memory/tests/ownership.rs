//! The plugin `ownership` on a pair of networks that can be computed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{
    Attached, Column, Fault, ModelView, Observation, PairChoice, PairSets, SampleId, Site, Split,
    TapPlan,
};
use afterimage_memory::{OwnershipConfig, OwnershipProbe, chosen_of};
use burn::tensor::Tensor;
use rig::{Linear, Noise, Records, Rig};

const SAMPLES: Noise = Noise {
    train: 40,
    held_out: 30,
};

/// A network with a reference beside it.
struct Pair([Linear; 2]);

impl ModelView for Pair {
    fn sites(&self) -> &[Site] {
        self.0[0].sites()
    }

    fn observe(&self, images: Tensor<4>, plan: &TapPlan) -> Result<Observation, Fault> {
        self.0[0].observe(images, plan)
    }

    fn reference(&self) -> Option<&dyn ModelView> {
        Some(&self.0[1])
    }
}

fn sets() -> PairSets {
    PairSets::choose(40, 12, PairChoice::Random, 5).unwrap()
}

fn config() -> OwnershipConfig {
    OwnershipConfig {
        points: 9,
        views: 3,
        batch: 4,
        draws: 200,
        ..OwnershipConfig::default()
    }
}

fn probe(config: OwnershipConfig, pair: &Pair) -> Records {
    let plugin = Attached::new("ownership", "ownership", OwnershipProbe::new(config));
    let mut rig = Rig::new(plugin, pair.sites());
    rig.run.pair = Some(sets());
    rig.start(pair, Some(&SAMPLES));
    rig.records()
}

/// Share of the units whose largest activation lies on a candidate, by the definition.
fn share(model: &Linear) -> f64 {
    let largest = |from: &[SampleId], unit: usize| {
        let activation = |id: &SampleId| {
            let view = |view| model.activation(0, unit, &SAMPLES.view(Split::Train, *id, view));
            (0..3).map(view).sum::<f64>() / 3.0
        };
        let ids = chosen_of(5, Split::Train, from, 9);
        ids.iter().map(activation).fold(f64::NEG_INFINITY, f64::max)
    };
    let sets = sets();
    let owned =
        (0..5).filter(|unit| largest(&sets.candidates, *unit) > largest(&sets.independent, *unit));
    owned.count() as f64 / 5.0
}

#[test]
fn both_encoders_are_tested_on_the_same_points() {
    let pair = Pair([Linear::new(1), Linear::new(4)]);
    let records = probe(config(), &pair);
    let shares = [share(&pair.0[0]), share(&pair.0[1])];
    assert_ne!(shares[0], shares[1], "a mix-up would be seen");
    let scalars = records.scalars();
    for site in ["encoder.act", "all"] {
        for (encoder, share) in ["studied", "reference"].into_iter().zip(shares) {
            let tag = format!("ownership/share/{encoder}/{site}");
            assert_eq!(scalars[tag.as_str()], share, "{tag}");
        }
        let tag = format!("ownership/difference/{site}");
        assert_eq!(scalars[tag.as_str()], shares[0] - shares[1]);
    }
    let table = |column| records.numbers("ownership/tests", column);
    assert_eq!(
        table("share"),
        [shares[0], shares[0], shares[1], shares[1]],
        "site and all, twice"
    );
    assert_eq!(
        (table("points"), table("units")),
        (vec![9.0; 4], vec![5.0; 4])
    );
    let columns = &records.table("ownership/tests").columns;
    let encoders = columns.iter().find(|(name, _)| name == "encoder").unwrap();
    let names = ["studied", "studied", "reference", "reference"];
    assert_eq!(encoders.1, Column::Text(names.map(str::to_owned).to_vec()));
    for place in 0..4 {
        let (low, share, high) = (
            table("low")[place],
            table("share")[place],
            table("high")[place],
        );
        assert!(low <= share && share <= high, "{low} {share} {high}");
        for column in ["binomial_p", "exchange_p"] {
            let p = table(column)[place];
            assert!(p > 0.0 && p <= 1.0, "{column}: {p}");
        }
    }
}

#[test]
fn what_it_says_is_the_same_every_time() {
    let pair = Pair([Linear::new(1), Linear::new(4)]);
    let with = |batch| format!("{:?}", probe(OwnershipConfig { batch, ..config() }, &pair));
    assert_eq!(with(4), with(9));
    assert_eq!(with(4), with(1));
}

#[test]
fn mistakes_are_told_in_words() {
    let fault = |config: OwnershipConfig, paired: bool| {
        let pair = Pair([Linear::new(1), Linear::new(4)]);
        let plugin = Attached::new("ownership", "ownership", OwnershipProbe::new(config));
        let mut rig = Rig::new(plugin, pair.sites());
        rig.run.pair = paired.then(sets);
        rig.start(&pair, Some(&SAMPLES));
        rig.faults().join("\n")
    };
    assert!(fault(config(), false).contains("add a `[pair]` table"));
    let none = OwnershipConfig {
        points: 1,
        draws: 0,
        ..config()
    };
    let keys: Vec<&str> = none.problems().iter().map(|p| p.0).collect();
    assert_eq!(keys, ["points", "draws"]);
    assert!(fault(none, true).contains("`points`: 1 is too few"));
    assert_eq!(OwnershipConfig::default().problems(), []);
}
