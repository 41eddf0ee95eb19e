//! The loop as a learning strategy of burn-train.

use std::cell::RefCell;

use afterimage_hooks::Outcome;
use burn::data::dataloader::Progress;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents,
    TrainingItem, ValidLoader,
};

use crate::attach::Parts;
use crate::error::TrainError;
use crate::records::Records;
use crate::training::Training;

/// Hosts the loop on burn-train.
pub(crate) struct HookedStrategy<M: LearnerModel> {
    parts: RefCell<Option<(Parts<M>, Option<Records>)>>,
}

impl<M: LearnerModel> HookedStrategy<M> {
    pub(crate) fn new(parts: Parts<M>, records: Option<Records>) -> Self {
        Self {
            parts: RefCell::new(Some((parts, records))),
        }
    }
}

/// burn-train's side of the run, as far as the loop needs it.
pub(crate) struct Burn<M: LearnerModel> {
    pub(crate) components: BurnComponents<M>,
    pub(crate) train: TrainLoader<M>,
    pub(crate) valid: ValidLoader<M>,
}

pub(crate) struct BurnComponents<M: LearnerModel> {
    pub(crate) epochs: u32,
    pub(crate) checkpointer: Option<burn::train::LearningCheckpointer<M>>,
    pub(crate) interrupter: Interrupter,
    pub(crate) early_stopping: Option<Box<dyn burn::train::CloneEarlyStoppingStrategy>>,
    pub(crate) processor: SupervisedTrainingEventProcessor<M>,
    pub(crate) store: std::sync::Arc<burn::train::metric::store::EventStoreClient>,
}

impl<M: LearnerModel> Burn<M> {
    /// Tells burn-train's metrics and renderer of something in training.
    pub(crate) fn tell(&mut self, event: LearnerEvent<<M as burn::train::TrainStep>::Output>) {
        let told = self.components.processor.process_train(event);
        self.components.interrupter.fail_on_error(told);
    }

    /// Runs burn-train's validation over its loader, in evaluation mode.
    pub(crate) fn validate(&mut self, model: &M, epoch: usize) {
        let interrupter = self.components.interrupter.clone();
        let total_items = self.valid.num_items();
        if total_items == 0 {
            return;
        }
        let processor = &mut self.components.processor;
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items,
        }));
        let evaluation = model.valid();
        let mut batches = self.valid.iter();
        let mut iteration = 0;
        while let Some(batch) = batches.next() {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    interrupter.fail(error);
                    break;
                }
            };
            iteration += 1;
            let progress: Progress = batches.progress();
            let output = InferenceStep::step(&evaluation, batch);
            let item = TrainingItem::new(output, progress, Some(iteration), None);
            interrupter.fail_on_error(processor.process_valid(LearnerEvent::ProcessedItem(item)));
            if interrupter.should_stop() {
                break;
            }
        }
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::EndSplit(epoch)));
    }
}

/// What was set on burn's `SupervisedTraining` that this loop would otherwise pass over in silence.
fn refusal(grad_accumulation: Option<usize>, starting_epoch: usize) -> Option<TrainError> {
    let words = match (grad_accumulation, starting_epoch) {
        (Some(_), _) => {
            "`grads_accumulation` is set, but the loop updates after every batch; remove it, and \
             raise the batch size instead: `Afterimage::shards` cuts a batch that memory does not hold"
        }
        (None, 2..) => {
            "`checkpoint` is set, but the loop does not go on from burn's checkpoints; use \
             `Afterimage::checkpoints` with `resume`"
        }
        _ => return None,
    };
    Some(TrainError::Attach(words.to_owned()))
}

impl<M: LearnerModel> SupervisedLearningStrategy<M> for HookedStrategy<M> {
    fn fit(
        &self,
        components: TrainingComponents<M>,
        mut learner: Learner<M>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
        starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let device = learner
            .model()
            .devices()
            .into_iter()
            .next()
            .unwrap_or_default();
        let device = if device.is_autodiff() {
            device
        } else {
            device.autodiff()
        };
        learner.fork(&device);
        let refused = refusal(components.grad_accumulation, starting_epoch);
        let burn = Burn {
            train: train.to_device(&device),
            valid: valid.to_device(&device.clone().inner()),
            components: BurnComponents {
                epochs: u32::try_from(components.num_epochs).unwrap_or(u32::MAX),
                checkpointer: components.checkpointer,
                interrupter: components.interrupter,
                early_stopping: components.early_stopping,
                processor: components.event_processor,
                store: components.event_store,
            },
        };
        let Some((parts, records)) = self.parts.borrow_mut().take() else {
            burn.components
                .interrupter
                .stop(Some("the loop was already run"));
            return (learner.model(), burn.components.processor);
        };
        let report = std::rc::Rc::clone(&parts.report);
        let (learner, burn, outcome) = match refused {
            Some(refused) => (learner, burn, Err(refused)),
            None => Training::new(parts, records, burn, learner, device).run(),
        };
        let mut report = report.borrow_mut();
        match outcome {
            Ok(outcome) => report.outcome = Some(outcome),
            Err(error) => {
                burn.components.interrupter.stop(Some(&error.to_string()));
                report.outcome = Some(Outcome::Failed(error.to_string()));
                report.error = Some(error);
            }
        }
        (learner.model(), burn.components.processor)
    }
}
