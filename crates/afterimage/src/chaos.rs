//! A plugin that fails on purpose.

use afterimage_hooks::{
    Declare, Every, Fault, Plugin, PluginState, RequestKind, StepDone, StepDoneCx,
};
use serde::{Deserialize, Serialize};

use crate::config::Report;

/// Settings of [`Chaos`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosConfig {
    /// The step in which it fails; default 1.
    pub step: u64,
    /// Whether it panics or returns an error; default true.
    pub panic: bool,
    /// Whether it declares that it may stop the run, which makes it an intervention; default false.
    pub intervenes: bool,
    /// Whether it needs arithmetic that is exact to rounding; default false.
    pub exact: bool,
}

impl Default for ChaosConfig {
    fn default() -> Self {
        Self {
            step: 1,
            panic: true,
            intervenes: false,
            exact: false,
        }
    }
}

impl ChaosConfig {
    pub(crate) fn check(&self, report: &mut Report<'_>) {
        report.check(self.step > 0, "step", || {
            "steps are counted from 1".to_owned()
        });
    }
}

/// Fails in one step of the run, to see what a broken plugin does to it.
#[derive(Debug)]
pub struct Chaos {
    config: ChaosConfig,
}

impl Chaos {
    /// A plugin that fails as `config` says.
    pub fn new(config: ChaosConfig) -> Self {
        Self { config }
    }

    #[allow(clippy::panic)] // what it is for
    fn fail(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        if cx.clock().step != self.config.step {
            return Ok(());
        }
        if self.config.panic {
            panic!("chaos, as configured");
        }
        Err(Fault::new("chaos, as configured"))
    }
}

impl Plugin for Chaos {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(Every::Always, Self::fail);
        if self.config.intervenes {
            d.requests(RequestKind::Stop);
        }
        if self.config.exact {
            d.exact();
        }
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
