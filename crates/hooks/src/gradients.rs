//! Gradients by parameter path, whatever the model's type.

use burn::tensor::Tensor;

/// The gradients of one step.
pub trait Gradients {
    /// Paths of the parameters that have a gradient, in visit order.
    fn paths(&self) -> Vec<String>;

    /// The gradient at `path`, flattened to `[elements]`.
    fn get(&self, path: &str) -> Option<Tensor<1>>;

    /// Puts another gradient `[elements]` at `path`; false if there is none or the length differs.
    fn set(&mut self, path: &str, gradient: Tensor<1>) -> bool;
}
