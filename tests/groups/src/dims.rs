//! Dimensions that must be equal.

/// A dimension: all axes, or parts of axes, that are as long as each other because an operation needs
/// it. Dimensions of length 1 are none: they are repeated to any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dim(usize);

/// An axis as a product of dimensions, the slowest first.
pub(crate) type Axis = Vec<Dim>;

#[derive(Debug)]
enum Node {
    /// A dimension of its own, with its length.
    Own(usize),
    /// The same as another one.
    Same(Dim),
    /// A product, since a reshape told it apart.
    Product(Dim, Dim),
}

/// All dimensions of a recording.
#[derive(Debug, Default)]
pub(crate) struct Dims {
    nodes: Vec<Node>,
}

impl Dims {
    /// An axis that nothing is known of.
    pub(crate) fn fresh(&mut self, length: usize) -> Axis {
        match length {
            1 => Axis::new(),
            _ => vec![self.own(length)],
        }
    }

    fn own(&mut self, length: usize) -> Dim {
        self.nodes.push(Node::Own(length));
        Dim(self.nodes.len() - 1)
    }

    /// The dimensions that the axis is the product of, by what is known now, with their lengths.
    pub(crate) fn factors(&self, axis: &[Dim]) -> Vec<(Dim, usize)> {
        let mut factors = Vec::new();
        let mut next: Vec<Dim> = axis.iter().rev().copied().collect();
        while let Some(dim) = next.pop() {
            match self.nodes[dim.0] {
                Node::Own(length) => factors.push((dim, length)),
                Node::Same(other) => next.push(other),
                Node::Product(slow, fast) => next.extend([fast, slow]),
            }
        }
        factors
    }

    pub(crate) fn length(&self, axis: &[Dim]) -> usize {
        self.factors(axis)
            .iter()
            .map(|(_, length)| length)
            .product()
    }

    /// Tells `dim`, of length `length`, apart into `slow` positions and the rest.
    fn split(&mut self, dim: Dim, length: usize, slow: usize) -> Axis {
        let parts = [self.own(slow), self.own(length / slow)];
        self.nodes[dim.0] = Node::Product(parts[0], parts[1]);
        parts.to_vec()
    }

    /// Makes two axes the same.
    pub(crate) fn unify(&mut self, a: &[Dim], b: &[Dim]) -> Result<(), String> {
        let list = |axis: &[Dim]| -> Axis { axis.iter().rev().copied().collect() };
        let (mut a, mut b) = (list(a), list(b));
        loop {
            let first = |dims: &Self, axis: &mut Axis| -> Option<(Dim, usize)> {
                let factors = dims.factors(&[axis.pop()?]);
                axis.extend(factors.iter().skip(1).rev().map(|(dim, _)| *dim));
                factors.first().copied()
            };
            match (first(self, &mut a), first(self, &mut b)) {
                (None, None) => return Ok(()),
                (Some((x, n)), Some((y, m))) if n == m => {
                    if x != y {
                        self.nodes[x.0] = Node::Same(y);
                    }
                }
                (Some((x, n)), Some((y, m))) if n.is_multiple_of(m) => {
                    a.extend(self.split(x, n, m).into_iter().rev());
                    b.push(y);
                }
                (Some((x, n)), Some((y, m))) if m.is_multiple_of(n) => {
                    b.extend(self.split(y, m, n).into_iter().rev());
                    a.push(x);
                }
                (x, y) => return Err(format!("lengths {x:?} and {y:?} have to be one")),
            }
        }
    }

    /// The axes of lengths `lengths` that the same values have in the same order.
    pub(crate) fn reshape(
        &mut self,
        axes: &[Axis],
        lengths: &[usize],
    ) -> Result<Vec<Axis>, String> {
        let all: Axis = axes.concat();
        let mut left: Axis = self
            .factors(&all)
            .iter()
            .rev()
            .map(|(dim, _)| *dim)
            .collect();
        let mut reshaped = Vec::with_capacity(lengths.len());
        for &length in lengths {
            let (mut axis, mut missing) = (Axis::new(), length);
            while missing > 1 {
                let dim = left
                    .pop()
                    .ok_or("a reshape has more values than there are")?;
                // A split of an earlier factor may have told this one apart.
                let (dim, n) = match self.factors(&[dim]).as_slice() {
                    [one] => *one,
                    parts => {
                        left.extend(parts.iter().rev().map(|(dim, _)| *dim));
                        continue;
                    }
                };
                if missing.is_multiple_of(n) {
                    axis.push(dim);
                    missing /= n;
                } else if n.is_multiple_of(missing) {
                    left.extend(self.split(dim, n, missing).into_iter().rev());
                } else {
                    return Err(format!("a reshape to {lengths:?} cuts a dimension of {n}"));
                }
            }
            reshaped.push(axis);
        }
        Ok(reshaped)
    }

    /// What a part of an axis is: of equal parts behind each other the rest of the product, else
    /// something new.
    pub(crate) fn part(&mut self, axis: &[Dim], start: usize, length: usize) -> Axis {
        let whole = self.length(axis);
        if length == whole {
            return axis.to_vec();
        }
        let equal = length > 1 && whole.is_multiple_of(length) && start.is_multiple_of(length);
        match equal.then(|| self.reshape(&[axis.to_vec()], &[whole / length, length])) {
            Some(Ok(mut parts)) => parts.pop().unwrap_or_default(),
            _ => self.fresh(length),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_a_reshape_tells_apart_is_told_apart_everywhere() {
        let mut dims = Dims::default();
        let (weight, value) = (dims.fresh(24), dims.fresh(24));
        dims.unify(&weight, &value).unwrap();
        let parts = dims.reshape(&[value, vec![]], &[3, 1, 4, 2]).unwrap();
        let lengths: Vec<usize> = dims.factors(&weight).iter().map(|(_, n)| *n).collect();
        assert_eq!(lengths, [3, 4, 2]);
        assert_eq!(parts[1], []);
        // Put together again it is the same.
        let whole = dims.reshape(&parts, &[24]).unwrap();
        assert_eq!(dims.factors(&whole[0]), dims.factors(&weight));
        // A dimension of 8 that is to be the last two.
        let output = dims.fresh(8);
        dims.unify(&output, &[parts[2].clone(), parts[3].clone()].concat())
            .unwrap();
        assert_eq!(dims.factors(&output), dims.factors(&weight)[1..]);
    }

    #[test]
    fn what_cannot_be_equal_is_refused() {
        let mut dims = Dims::default();
        let (a, b) = (dims.fresh(6), dims.fresh(4));
        assert!(dims.unify(&a, &b).is_err());
        assert!(dims.reshape(&[a], &[4]).is_err());
    }
}
