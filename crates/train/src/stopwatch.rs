//! How long an epoch takes in this process, and what of it plugins take.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The times of the epoch under way.
pub(crate) struct Stopwatch {
    began: Instant,
    /// Until its last step.
    steps: Duration,
    /// Views in these steps.
    images: u64,
    /// Time of each plugin in this process before the epoch.
    before: BTreeMap<String, Duration>,
}

impl Stopwatch {
    /// Starts an epoch; `plugins` are their times so far.
    pub(crate) fn start(plugins: BTreeMap<String, Duration>) -> Self {
        Self {
            began: Instant::now(),
            steps: Duration::ZERO,
            images: 0,
            before: plugins,
        }
    }

    /// Counts the views of a step that is done.
    pub(crate) fn step(&mut self, images: usize) {
        self.images += images as u64;
        self.steps = self.began.elapsed();
    }

    /// Tags and values of the epoch, which is over: views a second in its steps, its seconds with all
    /// that belongs to its end, and those of each plugin. `plugins` are their times now.
    pub(crate) fn figures(&self, plugins: &BTreeMap<String, Duration>) -> Vec<(String, f64)> {
        let steps = self.steps.as_secs_f64();
        let mut figures = Vec::new();
        if self.images > 0 && steps > 0.0 {
            let rate = self.images as f64 / steps;
            figures.push(("time/images_per_second".to_owned(), rate));
        }
        let epoch = self.began.elapsed().as_secs_f64();
        figures.push(("time/epoch".to_owned(), epoch));
        for (plugin, time) in plugins {
            let before = self.before.get(plugin).copied().unwrap_or_default();
            let own = time.saturating_sub(before).as_secs_f64();
            figures.push((format!("time/plugins/{plugin}"), own));
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_its_own_times() {
        let at = |seconds| BTreeMap::from([("a".to_owned(), Duration::from_secs(seconds))]);
        let mut watch = Stopwatch::start(at(2));
        assert_eq!(watch.figures(&at(2)).len(), 2, "no step, no rate");
        std::thread::sleep(Duration::from_millis(20));
        watch.step(64);
        watch.step(64);
        let figures: BTreeMap<String, f64> = watch.figures(&at(5)).into_iter().collect();
        assert_eq!(figures["time/plugins/a"], 3.0);
        let rate = figures["time/images_per_second"];
        assert!(rate > 0.0 && rate <= 128.0 / 0.02, "{rate}");
        assert!(figures["time/epoch"] >= 0.02);
    }
}
