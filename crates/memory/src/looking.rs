//! Probes that look at points of the data set before training and behind epochs.

use afterimage_hooks::{EpochEndCx, Fault, ModelView, RunStartCx, Samples, Scope};

/// A plugin that looks at samples through the model, at the start of a run and at the ends of epochs.
pub(crate) trait Looking {
    /// What is told where the model's host shows no samples.
    const WITHOUT_SAMPLES: &'static str;

    /// What is wrong with the settings: keys, each with a sentence.
    fn problems(&self) -> Vec<(&'static str, String)>;

    /// Looks, and puts what it sees on record.
    fn look(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: &dyn Samples,
    ) -> Result<(), Fault>;

    /// The handler of [`RunStart`](afterimage_hooks::RunStart).
    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        if let Some((key, problem)) = self.problems().into_iter().next() {
            return Err(Fault::new(format!("`{key}`: {problem}")));
        }
        let (model, samples) = (cx.model, shown::<Self>(cx.samples)?);
        self.look(&mut cx.scope, model, samples)
    }

    /// The handler of [`EpochEnd`](afterimage_hooks::EpochEnd).
    fn epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let (model, samples) = (cx.model, shown::<Self>(cx.samples)?);
        self.look(&mut cx.scope, model, samples)
    }
}

fn shown<P: Looking + ?Sized>(samples: Option<&dyn Samples>) -> Result<&dyn Samples, Fault> {
    samples.ok_or_else(|| Fault::new(P::WITHOUT_SAMPLES))
}
