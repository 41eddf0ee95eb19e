//! What the command line ends with after an error.

use afterimage_files::PartialError;
use afterimage_model::ModelError;
use afterimage_train::TrainError;

use crate::error::RunError;

impl RunError {
    /// The exit code of the command line: 2 for mistakes in the config, 5 for a run whose records are lost,
    /// else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Out(PartialError::Io { .. }) => 1,
            RunError::Lost { .. } => 5,
            RunError::Config(_)
            | RunError::Out(_)
            | RunError::Device(_)
            | RunError::SmallViews { .. }
            | RunError::SmallImages { .. }
            | RunError::TooMuch { .. }
            | RunError::Pair(_)
            | RunError::Doses(_)
            | RunError::NoLabels { .. }
            | RunError::DejaVu(_)
            | RunError::Layers(_)
            | RunError::Fraction { .. }
            | RunError::Ablate { .. }
            | RunError::NoUnits { .. }
            | RunError::ExchangedLayers(_)
            | RunError::FewPoints { .. }
            | RunError::Insert { .. }
            | RunError::Sensitivity(_)
            | RunError::PrunedLayers { .. }
            | RunError::OtherLayers { .. }
            | RunError::Start { .. }
            | RunError::NoImages
            | RunError::New { .. }
            | RunError::Layout { .. }
            | RunError::Export { .. }
            | RunError::NoRelu
            | RunError::NoForeignWeights { .. }
            | RunError::NoFolder { .. }
            | RunError::NoPage { .. }
            | RunError::DataFlag { .. }
            | RunError::ColourImages
            | RunError::Channels { .. }
            | RunError::IsThere { .. }
            | RunError::FewImages { .. }
            | RunError::OtherArchitecture { .. }
            | RunError::Model(ModelError::Config { .. } | ModelError::Patch { .. })
            | RunError::LocalViews(_)
            | RunError::Processes(_)
            | RunError::Train(
                TrainError::Plugins(_)
                | TrainError::TooFewSamples { .. }
                | TrainError::Model(ModelError::Config { .. } | ModelError::Patch { .. }),
            ) => 2,
            _ => 1,
        }
    }
}
