//! Online values of a table: passes over its rows in random order, as a training loop makes them.

use crate::design::Design;
use crate::draw::Purpose;
use crate::error::ValueError;
use crate::online::bank::Batch;
use crate::online::settings::OnlineSettings;
use crate::online::valuer::OnlineValuer;
use crate::problem::{Problem, Target};

/// How a table is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlinePasses {
    /// Passes over all rows, at least 1.
    pub epochs: u32,
    /// First passes that score nothing; fewer than `epochs`.
    pub warm_up: u32,
    /// Rows of a batch, at least 1.
    pub batch: usize,
}

impl Default for OnlinePasses {
    fn default() -> Self {
        Self {
            epochs: 40,
            warm_up: 2,
            batch: 100,
        }
    }
}

/// Values the rows and cells of a table of classes by an online bank. Cells are the columns that are
/// not constant ([`Problem::usable`]), in order. Rows are told apart by their position.
///
/// # Errors
/// Labels that are numbers; settings out of range.
pub fn value_online(
    problem: &Problem,
    settings: OnlineSettings,
    passes: OnlinePasses,
) -> Result<OnlineValuer, ValueError> {
    let Target::Classes { codes, names } = problem.target() else {
        return Err(ValueError::Setting(
            "online values need labels that are classes; numbers are valued by the exact mode"
                .to_owned(),
        ));
    };
    if passes.epochs <= passes.warm_up || passes.batch == 0 {
        return Err(ValueError::Setting(format!(
            "{} passes with {} to warm up, in batches of {}: at least one must score, in batches of \
             at least 1",
            passes.epochs, passes.warm_up, passes.batch
        )));
    }
    let usable = problem.usable();
    if usable.is_empty() {
        return Err(ValueError::AllConstant);
    }
    let rows: Vec<u32> = (0..problem.rows() as u32).collect();
    let design = Design::new(problem, &usable, &rows);
    let mut valuer = OnlineValuer::new(settings, rows.len(), &design.widths(), names.len(), true)?;
    for epoch in 0..passes.epochs {
        let mut order = rows.clone();
        let count = order.len();
        Purpose::OnlineOrder
            .draws_at(settings.seed, u64::from(epoch), 0)
            .choose(&mut order, count);
        for ids in order.chunks(passes.batch) {
            let inputs: Vec<f32> = ids
                .iter()
                .flat_map(|&id| design.place(id as usize))
                .copied()
                .collect();
            let labels: Vec<u32> = ids.iter().map(|&id| codes[id as usize]).collect();
            let batch = Batch {
                ids,
                inputs: &inputs,
                labels: &labels,
            };
            valuer.step(batch, epoch >= passes.warm_up)?;
        }
    }
    Ok(valuer)
}
