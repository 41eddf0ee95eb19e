//! Whether units keep their points from epoch to epoch, by the plugin `unitmem-streaming`.

use super::evidence::{Evidence, numbers};
use super::{Found, LIMIT, when};
use crate::summary::Measured;

/// Adds the share of units that keep their points, if it is more than chance.
pub(super) fn found(measured: &Measured<'_>, evidence: &Evidence, found: &mut Found) {
    found.sentences.extend(kept(measured, evidence));
}

fn kept(measured: &Measured<'_>, evidence: &Evidence) -> Option<String> {
    const TURNOVER: &str = "unitmem_streaming/turnover/all";
    let step = measured.step(TURNOVER).filter(|step| *step > 0)?;
    let kept = 1.0 - measured.at(TURNOVER, step)?;
    let points = measured.at("unitmem_streaming/points", step)?;
    let table = evidence.last_table("unitmem_streaming/units")?;
    let (steps, owners) = (numbers(&table, "step")?, numbers(&table, "owner")?);
    let of_step = |at: &i64| u64::try_from(*at) == Ok(step);
    let rows = steps.iter().zip(owners);
    let units = rows.filter(|(at, owner)| of_step(at) && **owner >= 0);
    let units = units.count() as f64;
    let chance = 1.0 / points;
    let error = |share: f64| (share * (1.0 - share) / units).sqrt();
    // No unit that keeps its point by chance would say so; the error is that of chance.
    let clear = kept - chance > LIMIT * error(chance);
    clear.then(|| {
        format!(
            "Units keep their points: {kept:.2} ± {:.2} of {units:.0} answer most to the same of \
             {points:.0} training points as in the epoch before{}, {chance:.3} by chance. Units of an \
             encoder that does not learn keep theirs, too: this alone is no memory (plugin \
             `unitmem-streaming`).",
            error(kept),
            when(measured, step)
        )
    })
}

#[cfg(test)]
mod tests {
    use afterimage_hooks::Column;

    use super::super::evidence::tests::{put, run, table};
    use super::super::tests::Records;
    use super::*;

    #[test]
    fn units_that_keep_their_points_are_compared_with_chance() {
        let run = run();
        let mut owners = vec![3; 100];
        owners.extend([-1; 20]);
        let units = table(vec![
            ("step", Column::I64(vec![20; 120])),
            ("owner", Column::I64(owners)),
        ]);
        put(run.path(), "unitmem_streaming/units", 2, &units);
        let told = |turnover: f64| {
            let records = Records::new(&[
                ("unitmem_streaming/turnover/all", 20, turnover),
                ("unitmem_streaming/points", 20, 50.0),
            ]);
            kept(&records.measured(), &Evidence::of(run.path()))
        };
        let text = told(0.75).unwrap_or_default();
        for words in [
            "0.25 ± 0.04 of 100",
            "same of 50 training",
            "0.020 by chance",
        ] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        // Chance misses by 0.014.
        assert_eq!(told(0.96), None);
        assert!(told(0.0).is_some_and(|text| text.contains("1.00 ± 0.00")));
    }
}
