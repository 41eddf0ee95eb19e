//! Tests of the loop under programs of one's own live in `tests/`; tests of whole runs of the
//! command live beside the command, in `crates/cli/tests`.
