//! Where values stand on a chart.

/// About the width of a column of the page, so that text keeps its size.
pub(super) const WIDTH: f64 = 370.0;

/// Height of a chart, and the space around its plot: left, right, top, bottom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) height: f64,
    pub(super) margin: (f64, f64, f64, f64),
}

/// Maps values to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) size: Size,
    /// The ends of the horizontal axis; of their logarithms where it is logarithmic.
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    pub(super) is_logarithmic: bool,
}

impl Frame {
    /// Where `x` stands on the axis: itself or its logarithm.
    pub(super) fn across(&self, x: f64) -> f64 {
        match self.is_logarithmic {
            true => x.log10(),
            false => x,
        }
    }

    /// The horizontal place of `x`; in the middle where the axis has no width.
    pub(super) fn left(&self, x: f64) -> f64 {
        let share = if self.x.1 > self.x.0 {
            (self.across(x) - self.x.0) / (self.x.1 - self.x.0)
        } else {
            0.5
        };
        self.left_edge() + share * (self.right() - self.left_edge())
    }

    /// The vertical place of `y`.
    pub(super) fn top(&self, y: f64) -> f64 {
        let share = (y - self.y.0) / (self.y.1 - self.y.0);
        self.bottom() - share * (self.bottom() - self.top_edge())
    }

    pub(super) fn left_edge(&self) -> f64 {
        self.size.margin.0
    }

    pub(super) fn right(&self) -> f64 {
        WIDTH - self.size.margin.1
    }

    pub(super) fn top_edge(&self) -> f64 {
        self.size.margin.2
    }

    pub(super) fn bottom(&self) -> f64 {
        self.size.height - self.size.margin.3
    }
}
