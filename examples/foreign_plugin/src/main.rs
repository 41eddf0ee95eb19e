//! The `afterimage` command with the plugin `loss-spread` beside the standard ones.

mod loss_spread;

use std::process::ExitCode;

use afterimage::Registry;

fn main() -> ExitCode {
    afterimage_cli::main(&Registry::standard().with(loss_spread::kind()))
}
