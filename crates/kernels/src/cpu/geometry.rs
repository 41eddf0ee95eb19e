//! The sizes of one convolution.

use burn::tensor::ops::ConvOptions;

/// The sizes of a convolution without groups and dilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// Rows of zeros above the image, and columns of zeros to its left.
    pub(crate) before: [usize; 2],
    /// Rows of zeros below the image, and columns of zeros to its right.
    pub(crate) after: [usize; 2],
}

impl Geometry {
    /// The sizes for an input `[B, C_in, H, W]` and a weight `[C_out, C_in, k, k]`; `None` where
    /// burn's own operation has to be used: groups, dilation, sizes that do not fit, empty tensors.
    pub(crate) fn new(
        input: [usize; 4],
        weight: [usize; 4],
        options: &ConvOptions<2>,
    ) -> Option<Self> {
        let [batch, inputs, height, width] = input;
        let [outputs, weight_inputs, kernel_height, kernel_width] = weight;
        let [(top, bottom), (left, right)] = options.padding;
        let geometry = Self {
            batch,
            inputs,
            height,
            width,
            outputs,
            kernel: [kernel_height, kernel_width],
            stride: options.stride,
            before: [top, left],
            after: [bottom, right],
        };
        let fits = options.groups == 1
            && options.dilation == [1, 1]
            && inputs == weight_inputs
            && ![
                batch,
                inputs,
                height,
                width,
                outputs,
                kernel_height,
                kernel_width,
            ]
            .contains(&0)
            && height + top + bottom >= kernel_height
            && width + left + right >= kernel_width;
        fits.then_some(geometry)
    }

    /// Rows and columns of the output map.
    pub(crate) fn output(&self) -> [usize; 2] {
        let side = |axis: usize, size: usize| {
            (size + self.before[axis] + self.after[axis] - self.kernel[axis]) / self.stride[axis]
                + 1
        };
        [side(0, self.height), side(1, self.width)]
    }

    /// Positions of the output map.
    pub(crate) fn positions(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    /// Input values that one output value is a sum over: kernel positions × input channels.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.inputs
    }

    /// Whether output positions are input positions, so that the input already is the matrix.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1]
            && self.stride == [1, 1]
            && self.before == [0, 0]
            && self.after == [0, 0]
    }

    /// Whether Winograd's algorithm computes it: 3×3 with stride 1.
    pub(crate) fn is_winograd(&self) -> bool {
        self.kernel == [3, 3] && self.stride == [1, 1]
    }

    /// The convolution that turns the gradient of the output into the gradient of the input, with
    /// the kernel turned by 180° and its channels swapped; `None` if the stride is not 1, or the
    /// padding is wider than the kernel reaches.
    pub(crate) fn adjoint(&self) -> Option<Self> {
        let [height, width] = self.output();
        let reach = |padding: [usize; 2]| {
            Some([
                (self.kernel[0] - 1).checked_sub(padding[0])?,
                (self.kernel[1] - 1).checked_sub(padding[1])?,
            ])
        };
        if self.stride != [1, 1] {
            return None;
        }
        Some(Self {
            batch: self.batch,
            inputs: self.outputs,
            height,
            width,
            outputs: self.inputs,
            kernel: self.kernel,
            stride: [1, 1],
            before: reach(self.before)?,
            after: reach(self.after)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn the_adjoint_leads_back_to_the_input() {
        let options = ConvOptions::new_with_padding([1, 1], [(1, 0), (2, 1)], [1, 1], 1);
        let forward = Geometry::new([2, 3, 7, 5], [4, 3, 3, 3], &options).unwrap();
        assert_eq!(forward.output(), [6, 6]);
        let back = forward.adjoint().unwrap();
        assert_eq!(back.output(), [7, 5]);
        assert_eq!((back.inputs, back.outputs), (4, 3));
    }

    #[test]
    fn groups_dilation_and_misfits_are_left_to_burn() {
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        assert!(Geometry::new([1, 2, 2, 2], [1, 2, 3, 3], &plain).is_none());
        assert!(Geometry::new([1, 2, 4, 4], [1, 1, 3, 3], &plain).is_none());
        let dilated = ConvOptions::new([1, 1], [0, 0], [2, 2], 1);
        assert!(Geometry::new([1, 2, 9, 9], [1, 2, 3, 3], &dilated).is_none());
    }
}
