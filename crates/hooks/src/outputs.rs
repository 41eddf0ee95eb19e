//! What the forward pass of a step puts out, as plugins ask for it and get it.

/// Outputs that plugins asked for at [`ForwardDone`](crate::ForwardDone).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WantedOutputs {
    /// The encoder's output.
    pub embeddings: bool,
    /// Scores of the classes.
    pub logits: bool,
}

/// Outputs on the host: row-major, a row a view, view-major as the batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostOutputs {
    /// `[V·B, D]`, if asked for and shown by the model.
    pub embeddings: Option<Vec<f32>>,
    /// `[V·B, classes]`, if asked for and shown by the objective.
    pub logits: Option<Vec<f32>>,
}
