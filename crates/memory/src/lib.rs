//! Memorization scores (UnitMem) as pure functions and as plugins.
