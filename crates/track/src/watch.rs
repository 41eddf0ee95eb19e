//! The plugin `watch`: norms and histograms of parameters, gradients and updates, layer by layer.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Declare, Every, Fault, GradReady, GradReadyCx, ModelView, Plugin, PluginState, RunStart,
    RunStartCx, Scope, StepDone, StepDoneCx, glob,
};
use burn::tensor::{Tensor, Transaction};
use serde::{Deserialize, Serialize};

/// Values in a histogram.
const MOST_VALUES: usize = 1 << 16;

/// Settings of [`Watch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// In which steps to look; default `"5 %"`, twenty times in a run. The parameters are also looked
    /// at before training. Each look waits for the device.
    pub every: Every,
    /// Glob over paths of parameters; default `"encoder.*"`; `"*"` for heads as well.
    pub parameters: String,
    /// Whether there are histograms beside the norms; default true.
    pub histograms: bool,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            every: Every::percent::<5>(),
            parameters: "encoder.*".to_owned(),
            histograms: true,
        }
    }
}

/// Shows how large parameters, gradients and updates are in a step: what tells a learning rate that is
/// too high, a layer that learns nothing, a gradient that grows.
///
/// A layer is what parameters share of their path but for the last word, such as
/// `encoder.layer1.conv`. For each, and for `all`: `watch/norm/{parameters,gradients,updates}/<layer>`,
/// Euclidean norms; `watch/ratio/<layer>`, the norm of the update over that of the parameters before it
/// (about 10⁻³ is usual); and the histograms `watch/{parameters,gradients,updates}/<layer>`, of at most
/// 65,536 values, evenly spaced. Parameters are those before the step, gradients those that the
/// optimizer is given, updates what it made of them, weight decay included. Parameters that nothing
/// trains are left out.
#[derive(Debug)]
pub struct Watch {
    config: WatchConfig,
    /// Between the gradients of a step and its end.
    held: Vec<Held>,
}

/// A parameter in the middle of a step, on the device.
#[derive(Debug)]
struct Held {
    path: String,
    value: Tensor<1>,
    gradient: Option<Tensor<1>>,
}

/// The values of a layer's parameters, gradients or updates, one parameter after the other.
type Values = Vec<f32>;

/// One layer.
#[derive(Debug, Default)]
struct Layer {
    parameters: Values,
    gradients: Values,
    updates: Values,
}

impl Watch {
    /// A plugin that has seen nothing.
    pub fn new(config: WatchConfig) -> Self {
        Self {
            config,
            held: Vec::new(),
        }
    }

    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        let pattern = &self.config.parameters;
        let known = &cx.scope.run().parameters;
        if !known.iter().any(|parameter| glob(pattern, &parameter.path)) {
            let names: Vec<&str> = known.iter().map(|p| p.path.as_str()).collect();
            return Err(Fault::new(format!(
                "`parameters`: {pattern:?} matches none of the model's parameters: {}",
                names.join(", ")
            )));
        }
        let shown = self.shown(cx.model);
        let (paths, tensors): (Vec<String>, Vec<Tensor<1>>) = shown.into_iter().unzip();
        let mut layers = Layers::default();
        for (path, parameters) in paths.iter().zip(on_host(tensors)?) {
            layers.of(path).parameters.extend(parameters);
        }
        layers.publish(&mut cx.scope, self.config.histograms);
        Ok(())
    }

    /// The trained parameters of `model` that are looked at.
    fn shown(&self, model: &dyn ModelView) -> Vec<(String, Tensor<1>)> {
        let mut all = model.values();
        all.retain(|(path, _)| glob(&self.config.parameters, path));
        all
    }

    /// Keeps parameters and gradients until the optimizer is done; nothing is read yet.
    fn hold(&mut self, cx: &mut GradReadyCx<'_>) -> Result<(), Fault> {
        let gradients = cx.gradients();
        let all = gradients.values().into_iter();
        self.held = all
            .filter(|(path, _)| glob(&self.config.parameters, path))
            .map(|(path, value)| Held {
                gradient: gradients.get(&path),
                path,
                value,
            })
            .collect();
        Ok(())
    }

    fn publish(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        let after: BTreeMap<String, Tensor<1>> = self.shown(cx.model).into_iter().collect();
        let mut tensors = Vec::new();
        for Held {
            path,
            value,
            gradient,
        } in &held
        {
            let now = after.get(path).ok_or_else(|| {
                Fault::new(format!("the parameter {path:?} is gone behind the step"))
            })?;
            let update = now.clone() - value.clone();
            tensors.extend([value.clone(), update]);
            tensors.extend(gradient.clone());
        }
        let mut values = on_host(tensors)?.into_iter();
        let mut layers = Layers::default();
        for Held { path, gradient, .. } in &held {
            let layer = layers.of(path);
            layer.parameters.extend(values.next().unwrap_or_default());
            layer.updates.extend(values.next().unwrap_or_default());
            if gradient.is_some() {
                layer.gradients.extend(values.next().unwrap_or_default());
            }
        }
        layers.publish(&mut cx.scope, self.config.histograms);
        Ok(())
    }
}

/// Layers in the order of their first parameters.
#[derive(Debug, Default)]
struct Layers(Vec<(String, Layer)>);

impl Layers {
    /// The layer of the parameter at `path`.
    fn of(&mut self, path: &str) -> &mut Layer {
        let name = path.rsplit_once('.').map_or(path, |(layer, _)| layer);
        let place = self.0.iter().position(|(layer, _)| layer == name);
        let place = place.unwrap_or_else(|| {
            self.0.push((name.to_owned(), Layer::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    fn publish(&self, scope: &mut Scope<'_>, histograms: bool) {
        let mut all = [0.0; 3];
        for (name, layer) in &self.0 {
            let kinds = [&layer.parameters, &layer.gradients, &layer.updates];
            let squares = kinds.map(|values| squares(values));
            figures(scope, name, squares, kinds.map(|values| !values.is_empty()));
            all.iter_mut()
                .zip(squares)
                .for_each(|(all, own)| *all += own);
            for (what, values) in WHAT.into_iter().zip(kinds) {
                if histograms && !values.is_empty() {
                    let step = values.len().div_ceil(MOST_VALUES);
                    let some = values.iter().step_by(step);
                    let some = some.map(|value| f64::from(*value)).collect();
                    scope.histogram(format!("watch/{what}/{name}"), some);
                }
            }
        }
        let there = |of: fn(&Layer) -> &Values| self.0.iter().any(|(_, l)| !of(l).is_empty());
        let there = [
            there(|layer| &layer.parameters),
            there(|layer| &layer.gradients),
            there(|layer| &layer.updates),
        ];
        figures(scope, "all", all, there);
    }
}

/// What is looked at, as tags have it.
const WHAT: [&str; 3] = ["parameters", "gradients", "updates"];

/// The norms of a layer with their ratio, from sums of squares, where there are values.
fn figures(scope: &mut Scope<'_>, layer: &str, squares: [f64; 3], there: [bool; 3]) {
    for ((what, square), there) in WHAT.into_iter().zip(squares).zip(there) {
        if there {
            scope.scalar(format!("watch/norm/{what}/{layer}"), square.sqrt());
        }
    }
    let ratio = (squares[2] / squares[0]).sqrt();
    // Parameters that are all zero, such as biases in the first step, have no ratio.
    if there[2] && ratio.is_finite() {
        scope.scalar(format!("watch/ratio/{layer}"), ratio);
    }
}

fn squares(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum()
}

/// The values of all tensors, which are waited for once.
fn on_host(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>, Fault> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |error: String| Fault::new(format!("the parameters did not arrive: {error}"));
    let mut transaction = Transaction::default();
    for tensor in tensors {
        transaction = transaction.register(tensor);
    }
    let values = transaction
        .try_execute()
        .map_err(|error| failed(error.to_string()))?;
    values
        .into_iter()
        .map(|values| {
            let values = values.convert::<f32>().try_into_vec::<f32>();
            values.map_err(|error| failed(error.to_string()))
        })
        .collect()
}

impl Plugin for Watch {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::start)
            .on::<GradReady>(self.config.every, Self::hold)
            .on::<StepDone>(self.config.every, Self::publish);
    }

    /// What is held is of a step that is not done.
    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
