//! The encoder that a run starts with.

use afterimage_model::{
    AnyEncoder, Encoder as _, EncoderConfig, ImportOptions, Layer, layers, parameters,
};
use burn::tensor::Device;

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::fine_tune::FineTuneConfig;
use crate::probe::Subject;

/// Random initial parameters, or an encoder that is there already.
pub(crate) struct Start<'a> {
    encoder: &'a EncoderConfig,
    seed: u64,
    device: &'a Device,
    given: Option<(&'a FineTuneConfig, Subject)>,
}

impl<'a> Start<'a> {
    /// Looks at what the experiment starts from; `encoder` is its encoder for its images.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub(crate) fn open(
        experiment: &'a Experiment,
        encoder: &'a EncoderConfig,
        device: &'a Device,
    ) -> Result<Self, RunError> {
        let given = match &experiment.fine_tune {
            Some(config) => {
                let subject = Subject::open(&config.from, &ImportOptions::default())?;
                Some((config, subject))
            }
            None => None,
        };
        Ok(Self {
            encoder,
            seed: experiment.seed,
            device,
            given,
        })
    }

    /// The encoder; each call gives one that shares nothing with the others.
    ///
    /// # Errors
    /// A checkpoint of another encoder than the experiment's, or of one with pruned units.
    pub(crate) fn encoder(&self) -> Result<AnyEncoder, RunError> {
        let Some((config, subject)) = &self.given else {
            return Ok(self.encoder.init(self.seed, self.device)?);
        };
        let refuse = |reason: String| RunError::Start {
            path: config.from.clone(),
            reason,
        };
        let opened = subject
            .load(self.encoder, self.device)
            .map_err(|error| refuse(format!("does not fit `encoder`: {error}")))?;
        let shapes = |encoder: &AnyEncoder| -> Vec<(String, Vec<usize>)> {
            let all = parameters(encoder).into_iter();
            all.map(|parameter| (parameter.path, parameter.shape))
                .collect()
        };
        let wanted = self.encoder.init(self.seed, self.device)?;
        if shapes(&opened.encoder) != shapes(&wanted) {
            return Err(refuse(format!(
                "it holds {}; `encoder` is another network",
                subject.description
            )));
        }
        if !opened.masks.is_empty() {
            return Err(refuse(
                "units of its encoder are pruned, which fine-tuning cannot keep".to_owned(),
            ));
        }
        Ok(opened.encoder)
    }

    /// Paths of the encoder's parameters and statistics that are not trained.
    ///
    /// # Errors
    /// Layers that cannot be chosen.
    pub(crate) fn frozen(&self) -> Result<Vec<String>, RunError> {
        let Some((config, _)) = &self.given else {
            return Ok(Vec::new());
        };
        let all = self.layers()?;
        let trained = config.trained(&all, self.seed)?;
        let names: Vec<&str> = trained.iter().map(|layer| layer.site.as_str()).collect();
        tracing::info!("trained layers of the encoder: {}", names.join(", "));
        let frozen = all.into_iter().filter(|layer| !trained.contains(layer));
        Ok(frozen.flat_map(|layer| layer.parameters).collect())
    }

    fn layers(&self) -> Result<Vec<Layer>, RunError> {
        let encoder = self.encoder.init(self.seed, self.device)?;
        let paths: Vec<String> = parameters(&encoder)
            .into_iter()
            .map(|parameter| format!("encoder.{}", parameter.path))
            .collect();
        Ok(layers(&encoder.sites(), &paths))
    }
}
