//! How much of the memory that was told is left for a selection.

use afterimage::coreset::{Bytes, CoresetError, Evidence, Selection, Settings, held_memory};

use crate::output::complain;

/// Memory of the program that is in use only once it works, and of each of its threads.
const CODE: u64 = 3_000_000;
const THREAD: u64 = 200_000;

/// A selection whose process holds no more than the memory that was told, program and input included; where
/// that is too little, one that holds as little as can be, if that is not more than was told beside them.
pub fn plan<'a>(
    told: bool,
    evidence: Evidence<'a>,
    settings: Settings<'a>,
) -> Result<Selection<'a>, CoresetError> {
    let with = |memory: u64| {
        let memory = Bytes(memory);
        Selection::plan(evidence, Settings { memory, ..settings })
    };
    let whole = settings.memory.0;
    let (true, Some(Bytes(held))) = (told, held_memory()) else {
        return with(whole);
    };
    let taken = held + CODE + THREAD * settings.threads as u64;
    let mut memory = whole.saturating_sub(taken).max(1);
    loop {
        match with(memory) {
            // A larger group may need more yet.
            Err(CoresetError::Memory { needed, .. }) if memory < needed && needed <= whole => {
                memory = needed;
            }
            Ok(selection) => {
                let most = taken + selection.memory().bytes();
                if most > whole {
                    complain(&format!(
                        "--memory: program and input hold {} already, and at least {} are needed beside \
                         them: up to {} in all",
                        Bytes(held),
                        Bytes(selection.memory().bytes()),
                        Bytes(most)
                    ));
                }
                return Ok(selection);
            }
            Err(CoresetError::Memory { needed, .. }) => {
                return Err(CoresetError::Memory {
                    budget: whole,
                    needed,
                });
            }
            Err(error) => return Err(error),
        }
    }
}
