//! How long a sweep will still take, as far as the trials that ended in this call tell.

use afterimage_numeric::median;

/// What was seen of trials in this call.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Trials that are not over.
    open: usize,
    /// Trials at work, and the most of them at one time.
    running: usize,
    most: usize,
    /// Seconds of those that are done.
    done: Vec<f64>,
}

impl Left {
    /// Says how many trials are not over.
    pub(crate) fn open(&mut self, open: usize) {
        self.open = open;
    }

    /// A trial began to work.
    pub(crate) fn began(&mut self) {
        self.running += 1;
        self.most = self.most.max(self.running);
    }

    /// A trial stopped working.
    pub(crate) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// A trial is over, and took so many seconds if it is done.
    pub(crate) fn over(&mut self, seconds: Option<f64>) {
        self.open = self.open.saturating_sub(1);
        self.done.extend(seconds);
    }

    /// The estimated seconds until all are over: those that are not, each as long as the median of those that are
    /// done, as many at a time as there were at most. None where none is done or all are over.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let median = median(self.done.clone())?;
        let rounds = self.open.div_ceil(self.most.max(1));
        (self.open > 0).then_some(median * rounds as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_the_median_of_what_is_done() {
        let mut left = Left::default();
        left.open(7);
        left.began();
        left.began();
        assert_eq!(left.seconds(), None);
        left.ended();
        left.over(Some(10.0));
        // Six, two at a time, ten seconds each.
        assert_eq!(left.seconds(), Some(30.0));
        left.began();
        left.ended();
        // One that failed is over and tells nothing of time.
        left.over(None);
        assert_eq!(left.seconds(), Some(30.0));
        left.over(Some(100.0));
        left.over(Some(20.0));
        // Three in two rounds; the median of 10, 20 and 100.
        assert_eq!(left.seconds(), Some(40.0));
        left.over(Some(40.0));
        assert_eq!(left.seconds(), Some(30.0));
        left.over(Some(1.0));
        left.over(Some(1.0));
        assert_eq!(left.seconds(), None);
    }
}
