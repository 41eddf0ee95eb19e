//! Dimensions followed through the operations of a recording.

use std::collections::BTreeMap;

use burn_capture::TensorId;
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, FloatOperationIr as Float,
    ModuleOperationIr as Layer, NumericOperationIr as Numeric, OperationIr, TensorIr,
};

use crate::dims::{Axis, Dims};

/// The axes of all tensors of a recording.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) dims: Dims,
    axes: BTreeMap<TensorId, Vec<Axis>>,
}

impl Followed {
    /// Follows `operations`.
    ///
    /// # Errors
    /// An operation that nothing is known of here, or axes that cannot be equal.
    pub(crate) fn through(operations: &[OperationIr]) -> Result<Self, String> {
        let mut followed = Self::default();
        for operation in operations {
            followed
                .step(operation)
                .map_err(|reason| format!("{reason}, in {operation:?}"))?;
        }
        Ok(followed)
    }

    /// The axes of a tensor; of one that no operation made, new ones.
    pub(crate) fn axes(&mut self, id: TensorId, shape: &[usize]) -> Vec<Axis> {
        if let Some(axes) = self.axes.get(&id) {
            return axes.clone();
        }
        let axes: Vec<Axis> = shape.iter().map(|&n| self.dims.fresh(n)).collect();
        self.axes.insert(id, axes.clone());
        axes
    }

    fn of(&mut self, tensor: &TensorIr) -> Vec<Axis> {
        self.axes(tensor.id, tensor.shape.as_slice())
    }

    /// Puts axes on the output of an operation; where the lengths differ, they are new.
    fn put(&mut self, out: &TensorIr, axes: Vec<Axis>) {
        let mut axes = axes;
        for (axis, &length) in axes.iter_mut().zip(out.shape.as_slice()) {
            if self.dims.length(axis) != length {
                *axis = self.dims.fresh(length);
            }
        }
        self.axes.insert(out.id, axes);
    }

    fn same(&mut self, input: &TensorIr, out: &TensorIr) {
        let axes = self.of(input);
        self.put(out, axes);
    }

    /// The axes of two tensors that meet value by value.
    fn meet(&mut self, left: Vec<Axis>, right: Vec<Axis>) -> Result<Vec<Axis>, String> {
        let mut met = Vec::with_capacity(left.len());
        for (a, b) in left.into_iter().zip(right) {
            if !a.is_empty() && !b.is_empty() {
                self.dims.unify(&a, &b)?;
            }
            met.push(if a.is_empty() { b } else { a });
        }
        Ok(met)
    }

    /// The channels that a vector of parameters runs over.
    fn along(&mut self, vector: &TensorIr, channels: &Axis) -> Result<(), String> {
        let axes = self.of(vector);
        self.dims.unify(&axes[0], channels)
    }

    fn step(&mut self, operation: &OperationIr) -> Result<(), String> {
        match operation {
            OperationIr::Init(init) => {
                self.of(&init.out);
            }
            OperationIr::Drop(_) => {}
            OperationIr::BaseFloat(base)
            | OperationIr::BaseInt(base)
            | OperationIr::BaseBool(base) => {
                self.base(base)?;
            }
            OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
                self.numeric(numeric)?;
            }
            OperationIr::Float(_, float) => self.float(float)?,
            OperationIr::Module(layer) => self.layer(layer)?,
            OperationIr::Activation(activation) => match activation {
                Activation::Relu(op) | Activation::Gelu(op) | Activation::Sigmoid(op) => {
                    self.same(&op.input, &op.out);
                }
                Activation::Softmax(op) => self.same(&op.input, &op.out),
                _ => return Err(UNKNOWN.to_owned()),
            },
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }

    fn base(&mut self, operation: &Base) -> Result<(), String> {
        match operation {
            Base::Reshape(op) => {
                let axes = self.of(&op.input);
                let axes = self.dims.reshape(&axes, op.out.shape.as_slice())?;
                self.put(&op.out, axes);
            }
            Base::Permute(op) => {
                let axes = self.of(&op.input);
                let axes = op.axes.iter().map(|&axis| axes[axis].clone()).collect();
                self.put(&op.out, axes);
            }
            Base::SwapDims(op) => {
                let mut axes = self.of(&op.input);
                axes.swap(op.dim1, op.dim2);
                self.put(&op.out, axes);
            }
            Base::Expand(op) => {
                let mut axes = self.of(&op.input);
                let missing = op.out.shape.as_slice().len() - axes.len();
                axes.splice(0..0, vec![Axis::new(); missing]);
                self.put(&op.out, axes);
            }
            Base::Slice(op) => {
                let mut axes = self.of(&op.tensor);
                let lengths = op.out.shape.as_slice().to_vec();
                for (index, range) in op.ranges.iter().enumerate() {
                    let start = usize::try_from(range.start).unwrap_or(1);
                    axes[index] = match range.step {
                        1 => self.dims.part(&axes[index], start, lengths[index]),
                        _ => self.dims.fresh(lengths[index]),
                    };
                }
                self.put(&op.out, axes);
            }
            Base::Cat(op) => {
                let mut axes = self.of(&op.tensors[0]);
                for tensor in &op.tensors {
                    let mut others = self.of(tensor);
                    others[op.dim] = Axis::new();
                    axes[op.dim] = Axis::new();
                    axes = self.meet(axes, others)?;
                }
                self.put(&op.out, axes);
            }
            Base::RepeatDim(op) => self.same(&op.tensor, &op.out),
            Base::Cast(op) => self.same(&op.input, &op.out),
            Base::Zeros(op) | Base::Ones(op) | Base::Empty(op) => {
                self.of(&op.out);
            }
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }

    fn numeric(&mut self, operation: &Numeric) -> Result<(), String> {
        match operation {
            Numeric::Add(op) | Numeric::Sub(op) | Numeric::Mul(op) | Numeric::Div(op) => {
                let (left, right) = (self.of(&op.lhs), self.of(&op.rhs));
                let axes = self.meet(left, right)?;
                self.put(&op.out, axes);
            }
            Numeric::AddScalar(op)
            | Numeric::SubScalar(op)
            | Numeric::MulScalar(op)
            | Numeric::DivScalar(op)
            | Numeric::ClampMin(op)
            | Numeric::ClampMax(op) => self.same(&op.lhs, &op.out),
            Numeric::MeanDim(op) | Numeric::SumDim(op) | Numeric::MaxDim(op) => {
                self.same(&op.input, &op.out);
            }
            Numeric::Full(op) => {
                self.of(&op.out);
            }
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }

    fn float(&mut self, operation: &Float) -> Result<(), String> {
        match operation {
            Float::Sqrt(op) | Float::Recip(op) | Float::Exp(op) | Float::Erf(op) => {
                self.same(&op.input, &op.out);
            }
            Float::PowfScalar(op) => self.same(&op.lhs, &op.out),
            Float::Random(op) => {
                self.of(&op.out);
            }
            Float::Matmul(op) => {
                let (mut left, mut right) = (self.of(&op.lhs), self.of(&op.rhs));
                let columns = right.pop().unwrap_or_default();
                let inner = right.pop().unwrap_or_default();
                self.dims.unify(&left.pop().unwrap_or_default(), &inner)?;
                let rows = left.pop().unwrap_or_default();
                let mut axes = self.meet(left, right)?;
                axes.extend([rows, columns]);
                self.put(&op.out, axes);
            }
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }

    fn layer(&mut self, operation: &Layer) -> Result<(), String> {
        match operation {
            Layer::Conv2d(op) if op.options.groups == 1 => {
                let (input, weight) = (self.of(&op.x), self.of(&op.weight));
                self.dims.unify(&input[1], &weight[1])?;
                if let Some(bias) = &op.bias {
                    self.along(bias, &weight[0])?;
                }
                let maps = [
                    input[0].clone(),
                    weight[0].clone(),
                    Axis::new(),
                    Axis::new(),
                ];
                self.put(&op.out, maps.to_vec());
            }
            Layer::Linear(op) => {
                let (mut axes, weight) = (self.of(&op.x), self.of(&op.weight));
                self.dims
                    .unify(&axes.pop().unwrap_or_default(), &weight[0])?;
                if let Some(bias) = &op.bias {
                    self.along(bias, &weight[1])?;
                }
                axes.push(weight[1].clone());
                self.put(&op.out, axes);
            }
            Layer::BatchNorm(op) => {
                let axes = self.of(&op.x);
                for vector in [&op.gamma, &op.beta, &op.mean, &op.variance] {
                    self.along(vector, &axes[1])?;
                }
                self.put(&op.out, axes);
            }
            Layer::LayerNorm(op) => {
                let axes = self.of(&op.input);
                let channels = axes[axes.len() - 1].clone();
                self.along(&op.gamma, &channels)?;
                if let Some(beta) = &op.beta {
                    self.along(beta, &channels)?;
                }
                self.put(&op.out, axes);
            }
            Layer::MaxPool2d(op) => self.same(&op.x, &op.out),
            Layer::AvgPool2d(op) => self.same(&op.x, &op.out),
            Layer::AdaptiveAvgPool2d(op) => self.same(&op.x, &op.out),
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }
}

const UNKNOWN: &str = "nothing is known of what this operation needs to be equal";
