//! How far the run is: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use afterimage_hooks::Clock;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::beat::Beat;

/// How often the time in the bar is drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// A bar if standard error is a terminal, lines otherwise.
    #[default]
    Auto,
    /// A bar on standard error.
    Bar,
    /// A line an epoch, and one whenever nothing was said for five seconds.
    Lines,
    /// Nothing.
    Silent,
}

/// What is told at the end of an epoch.
#[derive(Debug, Clone, Copy)]
pub struct EpochLine<'a> {
    /// Mean training loss of the epoch.
    pub loss: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Further numbers worth a look, by short name.
    pub headline: &'a [(&'a str, f64)],
}

type Shared = Arc<Mutex<Box<dyn Write + Send>>>;

#[derive(Clone)]
enum Face {
    Bar(ProgressBar),
    Lines(Shared),
    Silent,
}

impl Face {
    /// Writes a line; a closed terminal is no reason to end a run.
    fn say(&self, line: &str) {
        match self {
            Face::Bar(bar) => bar.println(line),
            Face::Lines(writer) => {
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = writeln!(writer, "{line}").and_then(|()| writer.flush());
            }
            Face::Silent => {}
        }
    }
}

/// Shows how far a run is. Durations are measured here and go nowhere else.
pub struct Progress {
    face: Face,
    /// When this process had done its first step, and which: what comes before, such as a probe of the
    /// untrained encoder, says nothing about the pace.
    began: Option<(Instant, u64)>,
    /// When the epoch under way began, and its images so far.
    epoch: (Instant, u64),
    /// Lines in long epochs and beside them; none with a bar.
    beat: Option<Beat>,
    loss: Option<f64>,
}

impl Progress {
    /// Progress in `mode`. Lines go to `writer` (standard error, in a program); the bar goes to
    /// standard error itself, because it needs a terminal.
    pub fn new(mode: Mode, writer: Box<dyn Write + Send>) -> Self {
        let bar = match mode {
            Mode::Auto => io::stderr().is_terminal(),
            Mode::Bar => true,
            Mode::Lines | Mode::Silent => false,
        };
        let face = match mode {
            Mode::Silent => Face::Silent,
            _ if bar => Face::Bar(ProgressBar::with_draw_target(
                Some(0),
                ProgressDrawTarget::hidden(),
            )),
            _ => Face::Lines(Arc::new(Mutex::new(writer))),
        };
        let now = Instant::now();
        Self {
            face,
            began: None,
            epoch: (now, 0),
            beat: None,
            loss: None,
        }
    }

    /// Begins at `clock`; its step is above 0 in a resumed run.
    pub fn start(&mut self, clock: &Clock) {
        let now = Instant::now();
        self.began = None;
        self.epoch = (now, 0);
        if let Face::Lines(_) = &self.face {
            let face = self.face.clone();
            let place = format!("before step {} of {}", clock.step + 1, clock.steps);
            self.beat = Some(Beat::watch(&place, move |line| face.say(line)));
        }
        if let Face::Bar(bar) = &self.face {
            let template = "{prefix} [{bar:30}] {pos}/{len} {elapsed} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_length(clock.steps);
            bar.set_position(clock.step);
            bar.set_prefix(format!("epoch {}/{}", clock.epoch, clock.epochs));
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
    }

    /// Tells of a finished step with its number of images, and its loss where it was read.
    pub fn step(&mut self, clock: &Clock, loss: Option<f64>, images: usize) {
        self.epoch.1 += images as u64;
        self.loss = loss.or(self.loss);
        let now = Instant::now();
        self.began.get_or_insert((now, clock.step));
        match (&self.face, &self.beat) {
            (Face::Bar(bar), _) => {
                bar.set_prefix(format!("epoch {}/{}", clock.epoch, clock.epochs));
                bar.set_length(clock.steps);
                bar.set_position(clock.step);
                bar.set_message(self.pace(clock, now));
            }
            (_, Some(beat)) => beat.at(format!(
                "epoch {}/{}  step {}/{}  {}",
                clock.epoch,
                clock.epochs,
                clock.step,
                clock.steps,
                self.pace(clock, now)
            )),
            _ => {}
        }
    }

    /// Tells of a finished epoch, and begins the next one.
    pub fn epoch(&mut self, clock: &Clock, line: &EpochLine<'_>) {
        let now = Instant::now();
        let epoch = format!(
            "{:>width$}",
            clock.epoch,
            width = clock.epochs.to_string().len()
        );
        let mut text = format!(
            "epoch {epoch}/{}  step {}  loss {}  lr {}  {}",
            clock.epochs,
            clock.step,
            digits(line.loss),
            digits(line.learning_rate),
            self.speed(clock, now)
        );
        for (name, value) in line.headline {
            text.push_str(&format!("  {name} {}", digits(*value)));
        }
        self.say(&text);
        self.epoch = (now, 0);
        if let Some(beat) = &self.beat {
            beat.at(format!("behind epoch {}/{}", clock.epoch, clock.epochs));
        }
    }

    /// Writes a line, above the bar where there is one.
    pub fn say(&self, line: &str) {
        self.face.say(line);
        if let Some(beat) = &self.beat {
            beat.spoke();
        }
    }

    /// Removes the bar, and says no more by itself.
    pub fn finish(&mut self) {
        self.beat = None;
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
    }

    /// A writer for log lines that do not tear the bar; in silent mode it drops them.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter {
            face: self.face.clone(),
            line: Vec::new(),
        }
    }

    fn pace(&self, clock: &Clock, now: Instant) -> String {
        let loss = self
            .loss
            .map(|loss| format!("loss {}  ", digits(loss)))
            .unwrap_or_default();
        format!("{loss}{}", self.speed(clock, now))
    }

    fn speed(&self, clock: &Clock, now: Instant) -> String {
        let seconds = (now - self.epoch.0).as_secs_f64();
        let rate = if seconds > 0.0 {
            self.epoch.1 as f64 / seconds
        } else {
            f64::NAN
        };
        let (began, first) = self.began.unwrap_or((now, clock.step));
        let elapsed = (now - began).as_secs_f64();
        let done = clock.step.saturating_sub(first);
        let left = clock.steps.saturating_sub(clock.step) as f64;
        let eta = if done > 0 {
            duration(elapsed / done as f64 * left)
        } else {
            "?".to_owned()
        };
        format!("{rate:.0} images/s  eta {eta}")
    }
}

/// Takes log lines of others and writes them without tearing the bar.
#[derive(Clone)]
pub struct LogWriter {
    face: Face,
    line: Vec<u8>,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        while let Some(end) = self.line.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            self.face.say(&String::from_utf8_lossy(&line[..end]));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Four significant digits, without an exponent where the number is of common size.
fn digits(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        format!("{value}")
    } else if (1e-3..1e5).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    }
}

/// Seconds as `1d02h`, `2h03m`, `4m05s` or `6s`.
fn duration(seconds: f64) -> String {
    let s = seconds.round().max(0.0) as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86400, s % 86400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
                .into_owned()
        }
    }

    fn at(epoch: u32, step: u64) -> Clock {
        Clock {
            epoch,
            step,
            epochs: 10,
            steps: 100,
            epoch_began: None,
        }
    }

    #[test]
    fn an_epoch_is_one_line_with_its_headline() {
        let page = Page::default();
        let mut progress = Progress::new(Mode::Lines, Box::new(page.clone()));
        progress.start(&at(0, 0));
        for step in 1..=10 {
            progress.step(&at(1, step), Some(3.0), 32);
        }
        progress.epoch(
            &at(1, 10),
            &EpochLine {
                loss: 2.5,
                learning_rate: 3e-4,
                headline: &[("knn", 0.4125)],
            },
        );
        progress.log_writer().write_all(b"one\ntwo").ok();
        let text = page.text();
        assert!(
            text.starts_with("epoch  1/10  step 10  loss 2.500  lr 3.000e-4  "),
            "{text}"
        );
        assert!(
            text.contains("images/s  eta ") && text.contains("  knn 0.4125\none\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn silence_is_silent() {
        let page = Page::default();
        let mut progress = Progress::new(Mode::Silent, Box::new(page.clone()));
        progress.start(&at(0, 0));
        progress.epoch(
            &at(1, 10),
            &EpochLine {
                loss: 2.5,
                learning_rate: 0.1,
                headline: &[],
            },
        );
        progress.say("x");
        assert_eq!(page.text(), "");
    }

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!(digits(12345.6), "12346");
        assert_eq!(digits(0.012345), "0.01235");
        assert_eq!(digits(f64::NAN), "NaN");
        let texts = [5.4, 65.0, 7380.0, 93600.0].map(duration);
        assert_eq!(texts, ["5s", "1m05s", "2h03m", "1d02h"]);
    }
}
