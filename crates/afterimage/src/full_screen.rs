//! burn-train's full-screen renderer, in a terminal that still knows what Ctrl-C means.

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;

/// burn-train's renderer. It puts the terminal into raw mode, in which Ctrl-C is a key like any other and no
/// signal; that is undone, so that Ctrl-C asks for a checkpoint and the end as it does in every other renderer.
pub(crate) fn full_screen(interrupter: Interrupter) -> Box<dyn MetricsRenderer> {
    let renderer = TuiMetricsRendererWrapper::new(interrupter, None);
    #[cfg(unix)]
    terminal::let_signals_through();
    Box::new(renderer)
}

#[cfg(unix)]
mod terminal {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use rustix::termios::{LocalModes, OptionalActions, isatty, tcgetattr, tcsetattr};

    /// How often the terminal is asked whether it is in raw mode yet, and how long it is waited in between: the
    /// renderer puts it there on a thread of its own.
    const TRIES: u32 = 500;
    const PAUSE: Duration = Duration::from_millis(10);

    /// Turns signals of the terminal on again once it is in raw mode; a terminal that cannot be asked has none.
    pub(super) fn let_signals_through() {
        let stdin = io::stdin();
        let done = if isatty(&stdin) {
            signals(&stdin)
        } else {
            File::open("/dev/tty").and_then(|terminal| signals(&terminal))
        };
        match done {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the terminal is in no raw mode; keys may not be seen"),
            Err(error) => tracing::warn!(
                "Ctrl-C may not reach the run: the terminal cannot be asked: {error}; end the run with \
                 `q` or SIGTERM"
            ),
        }
    }

    /// Whether the terminal came into raw mode, in which its signals are on now.
    fn signals(terminal: &impl AsFd) -> io::Result<bool> {
        for _ in 0..TRIES {
            let mut modes = tcgetattr(terminal)?;
            if !modes.local_modes.contains(LocalModes::ICANON) {
                modes.local_modes |= LocalModes::ISIG;
                tcsetattr(terminal, OptionalActions::Now, &modes)?;
                return Ok(true);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(false)
    }
}
