//! The key, file and line of mistakes that show only beside the data.

use afterimage_data::DataError;
use afterimage_ssl::SslError;
use afterimage_train::TrainError;

use crate::config::Locations;
use crate::error::RunError;

/// `error` with the file and line of the key to change, if it is one key's fault.
pub(crate) fn located(error: RunError, locations: &Locations) -> RunError {
    let Some((key, message)) = fault_of_key(&error) else {
        return error;
    };
    let mut report = locations.report();
    report.error(&key, message);
    match report.finish() {
        Err(errors) => RunError::Config(errors),
        Ok(()) => error,
    }
}

/// The key to change and what to write there.
fn fault_of_key(error: &RunError) -> Option<(String, String)> {
    let (key, message) = match error {
        RunError::Data(DataError::Config { key, reason }) => (key.as_str(), reason.clone()),
        RunError::NoLabels { key, what } => (
            key.as_str(),
            format!(
                "{what} needs labels, and the images have none; remove it, or give the images labels"
            ),
        ),
        RunError::SmallViews { .. } => ("views.size", error.to_string()),
        RunError::LocalViews(reason) => ("objective.local_size", reason.clone()),
        RunError::Pair(fault) => ("pair.candidates", fault.to_string()),
        RunError::Doses(reason) => ("doses", reason.clone()),
        RunError::LabelNoise(reason) => ("label_noise", reason.clone()),
        RunError::Layers(reason) => ("fine_tune.layers", reason.to_string()),
        RunError::Start { path, reason } => {
            let path = path.display().to_string();
            let told = match reason.starts_with(&path) {
                true => reason.clone(),
                false => format!("{path}: {reason}"),
            };
            ("fine_tune.from", told)
        }
        RunError::Ssl(SslError::WarmupTooLong { .. }) => {
            ("schedule.warmup_epochs", error.to_string())
        }
        RunError::Train(TrainError::TooFewSamples { .. }) => ("batch_size", error.to_string()),
        _ => return None,
    };
    Some((key.to_owned(), message))
}
