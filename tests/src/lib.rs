//! Tests of whole runs live in `tests/`.
