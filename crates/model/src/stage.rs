//! A forward pass in stages, so that what comes before a change needs to be computed once.

use burn::tensor::Tensor;

use crate::ModelError;

/// What one stage of an encoder hands to the next.
#[derive(Debug, Clone)]
pub enum Flow {
    /// Images or a feature map, `[B, C, H, W]`.
    Map(Tensor<4>),
    /// The inside of a residual branch, and what will be added to its end, `[B, C, H, W]` each.
    Branch(Tensor<4>, Box<Tensor<4>>),
    /// Tokens, `[B, T, C]`.
    Tokens(Tensor<3>),
    /// Embeddings, `[B, D]`: what the last stage puts out.
    Embedding(Tensor<2>),
}

impl Flow {
    /// Numbers in it.
    pub fn numbers(&self) -> usize {
        match self {
            Self::Map(x) => x.dims().iter().product(),
            Self::Branch(x, skip) => {
                x.dims().iter().product::<usize>() + skip.dims().iter().product::<usize>()
            }
            Self::Tokens(x) => x.dims().iter().product(),
            Self::Embedding(x) => x.dims().iter().product(),
        }
    }

    /// The embeddings, behind the last stage.
    ///
    /// # Errors
    /// What a stage before the last puts out.
    pub fn embeddings(self) -> Result<Tensor<2>, ModelError> {
        match self {
            Self::Embedding(x) => Ok(x),
            _ => Err(ModelError::Stage {
                stage: "the end of an encoder",
            }),
        }
    }
}
