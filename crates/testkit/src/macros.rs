//! The tests of one kind of plugin, written by a macro.

use afterimage::{PluginKind, Registry};

use crate::error::Broken;

/// The tests of one kind of plugin: `plugin_conformance!(kind)`, `plugin_conformance!(kind, settings)` or
/// `plugin_conformance!(kind, settings, |kit| …)`.
///
/// `kind` is an expression that makes a [`PluginKind`]. `settings` are its keys as TOML, such that it is
/// called in a run of 30 steps of 32 samples. The closure changes the [`Conformance`](crate::Conformance)
/// that is tested, as by [`beside`](crate::Conformance::beside) for a plugin that reads what another
/// provides. The functions go into the module around the macro, one macro a module.
#[macro_export]
macro_rules! plugin_conformance {
    ($kind:expr $(,)?) => {
        $crate::plugin_conformance!($kind, "");
    };
    ($kind:expr, $settings:expr $(,)?) => {
        $crate::plugin_conformance!($kind, $settings, |kit| kit);
    };
    ($kind:expr, $settings:expr, $more:expr $(,)?) => {
        fn kept(
            law: fn(&$crate::Conformance) -> ::core::result::Result<Vec<String>, $crate::Broken>,
        ) {
            let more: fn($crate::Conformance) -> $crate::Conformance = $more;
            let program = $crate::Program::this_test(::core::module_path!());
            let kit = $crate::Conformance::of($kind, $settings, program);
            $crate::held(kit.and_then(|kit| law(&more(kit))));
        }

        #[test]
        #[ignore = "not a test: the command, which the others start"]
        fn as_a_process() {
            $crate::answer(&$crate::registry_with($kind));
        }

        #[test]
        fn it_changes_nothing() {
            kept($crate::Conformance::changes_nothing);
        }

        #[test]
        fn it_resumes_exactly() {
            kept($crate::Conformance::resumes_exactly);
        }

        #[test]
        fn its_state_comes_back() {
            kept($crate::Conformance::state_comes_back);
        }

        #[test]
        fn its_order_holds() {
            kept($crate::Conformance::order_holds);
        }

        #[test]
        fn it_bears_faults_of_others() {
            kept($crate::Conformance::bears_faults_of_others);
        }

        #[test]
        fn it_refuses_mistakes() {
            kept($crate::Conformance::refuses_mistakes);
        }

        #[test]
        fn its_cost_is_known() {
            kept($crate::Conformance::cost_is_known);
        }
    };
}

/// The plugins of the project and one more.
pub fn registry_with(kind: PluginKind) -> Registry {
    Registry::standard().with(kind)
}

/// Fails the test with what is broken; prints what is known where nothing is.
#[track_caller]
#[allow(clippy::panic, clippy::print_stdout)] // how a test fails, and what it says
pub fn held(law: Result<Vec<String>, Broken>) {
    match law {
        Ok(notes) => notes.iter().for_each(|note| println!("{note}")),
        Err(broken) => panic!("{broken}"),
    }
}
