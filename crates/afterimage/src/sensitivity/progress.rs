//! How far a study is.

use std::time::{Duration, Instant};

use crate::pulse::in_words;

/// A line is written no more often than this.
const PAUSE: Duration = Duration::from_secs(3);

/// Counts arms and tells when they will be done; its times go to the terminal alone.
pub(super) struct Progress {
    began: Instant,
    spoke: Instant,
    done: usize,
    all: usize,
}

impl Progress {
    pub(super) fn new(all: usize) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            spoke: now,
            done: 0,
            all,
        }
    }

    /// Counts `arms` more, of `site`; says so if the last line is old.
    pub(super) fn add(&mut self, arms: usize, site: &str, say: &mut dyn FnMut(&str)) {
        self.done += arms;
        if self.spoke.elapsed() < PAUSE || self.done >= self.all {
            return;
        }
        self.spoke = Instant::now();
        let passed = self.began.elapsed().as_secs_f64();
        say(&line(self.done, self.all, site, passed));
    }
}

fn line(done: usize, all: usize, site: &str, passed: f64) -> String {
    let left = passed / done.max(1) as f64 * all.saturating_sub(done) as f64;
    format!(
        "{site}: {done} of {all} arms, about {} left",
        in_words(left)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_is_done() {
        assert_eq!(
            line(10, 40, "encoder.prep", 5.0),
            "encoder.prep: 10 of 40 arms, about 15 s left"
        );
        assert!(line(1, 1000, "a", 1.0).ends_with("about 17 min left"));
        assert!(line(0, 10, "a", 0.0).ends_with("about 0 s left"));
    }
}
