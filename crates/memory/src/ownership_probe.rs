//! The plugin `ownership`: the test of ownership in both encoders of a pair.

use afterimage_hooks::{
    Column, Declare, EpochEnd, Every, Fault, ModelView, Plugin, PluginState, RunStart, SampleId,
    Samples, Scope, SiteKind, Split, Table,
};
use serde::{Deserialize, Serialize};

use crate::activation_map::ActMap;
use crate::error::MemoryError;
use crate::looking::Looking;
use crate::measure::{Measured, Probe};
use crate::ownership_test::OwnershipTest;
use crate::probe_points::{chosen_of, too_few, too_large, too_many};
use crate::unitmem::Form;

/// Draws of a bootstrap, which say no more beyond.
const MOST_DRAWS: usize = 1_000_000;

/// Settings of [`OwnershipProbe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnershipConfig {
    /// At the end of which epochs to probe; default `"1 epochs"`. The untrained pair is probed in
    /// any case.
    pub every: Every,
    /// Candidates, and as many independent points; all where there are fewer; default 1000, at least
    /// 2.
    #[schemars(range(min = 2))]
    pub points: usize,
    /// Augmented views of each point; default 10, at least 1.
    #[schemars(range(min = 1))]
    pub views: usize,
    /// Points in one forward pass, `batch · views` images; default 16, at least 1. It changes time
    /// and memory alone.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; default `["activation"]`, the outputs of blocks; empty for all.
    pub kinds: Vec<SiteKind>,
    /// What is done to activations before the mean over positions; default `"raw"`.
    pub map: ActMap,
    /// Draws of the bootstrap and of the exchange of points; default 1000, at least 2.
    #[schemars(range(min = 2))]
    pub draws: usize,
}

impl Default for OwnershipConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            points: 1000,
            views: 10,
            batch: 16,
            sites: "encoder.*".to_owned(),
            kinds: vec![SiteKind::Activation],
            map: ActMap::Raw,
            draws: 1000,
        }
    }
}

impl OwnershipConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = too_few(&[
            (
                "points",
                self.points,
                2,
                "a unit's maximum is compared with the other points",
            ),
            ("views", self.views, 1, "activations are means over views"),
            ("batch", self.batch, 1, "a forward pass needs a point"),
            ("draws", self.draws, 2, "a standard error needs two"),
        ]);
        problems.extend(too_many(&[("draws", self.draws, MOST_DRAWS)]));
        problems.extend(too_large(self.points, self.views, self.batch));
        problems
    }
}

/// Probes which of two equal sets holds the largest activation of each unit, in a run that trains a
/// reference encoder in lock step (`[pair]` in a config): the candidates, which the encoder under
/// study alone is trained on, or the independent points, which its reference alone is trained on.
///
/// Without memorization each encoder gives half of its units to the candidates; with it the encoder
/// under study gives more, and its reference fewer. The difference of the two shares cancels what
/// the sets differ by. Scalars `ownership/share/{studied,reference}/<site>`,
/// `ownership/z/{studied,reference}/<site>` ([`OwnershipTest::z`]) and
/// `ownership/difference/<site>`, where `<site>` is a site's name, or `all` for the units of all
/// sites together; the table `ownership/tests` with the counts, the bootstrap over points, and the
/// binomial and the exchange probabilities. It reads no labels and keeps no state.
#[derive(Debug)]
pub struct OwnershipProbe {
    config: OwnershipConfig,
}

/// One test: the encoder's name, the site's or `all`.
struct Tested {
    encoder: &'static str,
    site: String,
    test: OwnershipTest,
}

impl OwnershipProbe {
    /// A probe with these settings.
    pub fn new(config: OwnershipConfig) -> Self {
        Self { config }
    }
}

impl Looking for OwnershipProbe {
    const WITHOUT_SAMPLES: &'static str =
        "ownership needs samples to look at, which this model's host does not show";

    fn problems(&self) -> Vec<(&'static str, String)> {
        self.config.problems()
    }

    fn look(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: &dyn Samples,
    ) -> Result<(), Fault> {
        let run = scope.run();
        let (Some(sets), Some(reference)) = (&run.pair, model.reference()) else {
            return Err(Fault::new(
                "ownership compares an encoder with its reference, which this run does not train; \
                 add a `[pair]` table with `candidates = N` to the config",
            ));
        };
        let choose =
            |from: &[SampleId]| chosen_of(run.seed, Split::Train, from, self.config.points);
        let sets = [choose(&sets.candidates), choose(&sets.independent)];
        let mut tests = self.tests("studied", model, samples, &sets)?;
        tests.extend(self.tests("reference", reference, samples, &sets)?);
        self.publish(scope, &tests);
        Ok(())
    }
}

impl OwnershipProbe {
    /// The tests of one encoder: site by site, then all sites together.
    fn tests(
        &self,
        encoder: &'static str,
        model: &dyn ModelView,
        samples: &dyn Samples,
        sets: &[Vec<SampleId>; 2],
    ) -> Result<Vec<Tested>, Fault> {
        let config = &self.config;
        let probe = Probe {
            tap: config.map.tap(&config.sites, &config.kinds),
            form: Form::Paper,
            views: config.views,
            batch: config.batch,
        };
        let measure = |ids: &[SampleId]| probe.measure(model, samples, Split::Train, ids);
        let (candidates, independent) = (measure(&sets[0])?, measure(&sets[1])?);
        let pairs: Vec<(&Measured, &Measured)> = candidates.iter().zip(&independent).collect();
        let test = |site: &str, pairs: &[(&Measured, &Measured)]| {
            let states = pairs
                .iter()
                .map(|(left, right)| (left.points.state(), right.points.state()));
            let tested = |test| Tested {
                encoder,
                site: site.to_owned(),
                test,
            };
            let failed = |e: MemoryError| Fault::caused_by(format!("site {site:?}"), e);
            OwnershipTest::new(states).map(tested).map_err(failed)
        };
        let mut tests = pairs
            .iter()
            .map(|pair| test(&pair.0.site, std::slice::from_ref(pair)))
            .collect::<Result<Vec<_>, Fault>>()?;
        tests.push(test("all", &pairs)?);
        Ok(tests)
    }

    fn publish(&self, scope: &mut Scope<'_>, tests: &[Tested]) {
        let mut scalar = |tag: String, value: f64| {
            // Nothing to average over is no point of a curve.
            if value.is_finite() {
                scope.scalar(tag, value);
            }
        };
        for Tested {
            encoder,
            site,
            test,
        } in tests
        {
            scalar(format!("ownership/share/{encoder}/{site}"), test.share());
            scalar(format!("ownership/z/{encoder}/{site}"), test.z());
        }
        let (studied, reference) = tests.split_at(tests.len() / 2);
        for (studied, reference) in studied.iter().zip(reference) {
            let difference = studied.test.share() - reference.test.share();
            scalar(format!("ownership/difference/{}", studied.site), difference);
        }
        let table = self.table(scope, tests);
        scope.table("ownership/tests", table);
    }

    fn table(&self, scope: &Scope<'_>, tests: &[Tested]) -> Table {
        // The same draws for every test and epoch, so that curves are not moved by them.
        let (key, draws) = (scope.random(), self.config.draws);
        let spreads: Vec<_> = tests
            .iter()
            .map(|t| t.test.bootstrap(key.view(0), draws))
            .collect();
        let text = |of: &dyn Fn(&Tested) -> String| Column::Text(tests.iter().map(of).collect());
        let whole = |of: &dyn Fn(&OwnershipTest) -> u64| {
            Column::I64(tests.iter().map(|t| of(&t.test) as i64).collect())
        };
        let number = |of: &dyn Fn(&OwnershipTest) -> f64| {
            Column::F64(tests.iter().map(|t| of(&t.test)).collect())
        };
        let columns = [
            ("encoder", text(&|t| t.encoder.to_owned())),
            ("site", text(&|t| t.site.clone())),
            ("points", whole(&OwnershipTest::points)),
            ("units", whole(&OwnershipTest::units)),
            ("owned", whole(&OwnershipTest::owned)),
            ("tied", whole(&|t| t.tied() as u64)),
            ("owners", whole(&|t| t.owners() as u64)),
            ("share", number(&OwnershipTest::share)),
            (
                "se",
                Column::F64(spreads.iter().map(|s| s.standard_error).collect()),
            ),
            ("low", Column::F64(spreads.iter().map(|s| s.low).collect())),
            (
                "high",
                Column::F64(spreads.iter().map(|s| s.high).collect()),
            ),
            ("z", number(&OwnershipTest::z)),
            ("design_effect", number(&OwnershipTest::design_effect)),
            ("binomial_p", number(&OwnershipTest::binomial_p)),
            ("exchange_p", number(&|t| t.exchange_p(key.view(1), draws))),
        ];
        Table::of(columns)
    }
}

impl Plugin for OwnershipProbe {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        // The tap is never on in a training step, since no handler is due there; declared, a
        // pattern that matches no site is refused before the run.
        d.taps(self.config.map.tap(&self.config.sites, &self.config.kinds))
            .on::<RunStart>(Every::Always, Self::start)
            .on::<EpochEnd>(self.config.every, Self::epoch)
            .reference();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
