//! Gradients by parameter path, whatever the model's type.

use burn::tensor::Tensor;

/// The gradients of one step.
pub trait Gradients {
    /// Paths of the parameters that have a gradient, in visit order.
    fn paths(&self) -> Vec<String>;

    /// The values of the parameters that are trained, before the update, by path in visit order, each
    /// flattened to `[elements]`; none for a host that does not show them.
    fn values(&self) -> Vec<(String, Tensor<1>)> {
        Vec::new()
    }

    /// The gradient at `path`, flattened to `[elements]`.
    fn get(&self, path: &str) -> Option<Tensor<1>>;

    /// Puts another gradient `[elements]` at `path`; false if there is none or the length differs.
    fn set(&mut self, path: &str, gradient: Tensor<1>) -> bool;
}
