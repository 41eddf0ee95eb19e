//! Whether units answer to classes, by the plugin `classmem`.

use afterimage_numeric::mean_and_deviation;

use super::evidence::{Evidence, numbers, values};
use super::{Found, LIMIT, when};
use crate::summary::Measured;

/// Adds ClassMem beside that of permuted labels, if it is more.
pub(super) fn found(measured: &Measured<'_>, evidence: &Evidence, found: &mut Found) {
    found.sentences.extend(classes(measured, evidence));
}

fn classes(measured: &Measured<'_>, evidence: &Evidence) -> Option<String> {
    let table = evidence.last_table("classmem/units")?;
    let steps = numbers(&table, "step")?;
    let (own, permuted) = (
        values(&table, "classmem")?,
        values(&table, "classmem_permuted")?,
    );
    let last = *steps.last()?;
    let step = u64::try_from(last).ok().filter(|step| *step > 0)?;
    let pairs: Vec<(f64, f64)> = (0..steps.len())
        .filter(|&row| steps[row] == last)
        .map(|row| (own[row], permuted[row]))
        .filter(|(own, permuted)| own.is_finite() && permuted.is_finite())
        .collect();
    let mean =
        |of: fn(&(f64, f64)) -> f64| mean_and_deviation(&pairs.iter().map(of).collect::<Vec<_>>());
    let (more, deviation) = mean(|pair| pair.0 - pair.1);
    let error = deviation / (pairs.len() as f64).sqrt();
    (more > LIMIT * error).then(|| {
        format!(
            "Units answer to classes: ClassMem is {:.3}, and {:.3} with permuted labels, {more:.3} ± \
             {error:.3} more over {} units{} (plugin `classmem`).",
            mean(|pair| pair.0).0,
            mean(|pair| pair.1).0,
            pairs.len(),
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
    fn classes_are_compared_with_permuted_labels() {
        let told = |own: [f64; 3]| {
            let run = run();
            let mut all = vec![9.0];
            all.extend(own);
            let units = table(vec![
                ("step", Column::I64(vec![10, 20, 20, 20])),
                ("classmem", Column::F64(all)),
                (
                    "classmem_permuted",
                    Column::F64(vec![0.0, 0.125, 0.125, f64::NAN]),
                ),
            ]);
            put(run.path(), "classmem/units", 2, &units);
            let records = Records::new(&[("loss/train", 20, 1.0)]);
            classes(&records.measured(), &Evidence::of(run.path()))
        };
        let text = told([0.5, 0.75, 0.9]).unwrap_or_default();
        for words in ["is 0.625, and 0.125", "0.500 ± 0.125 more over 2 units"] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        // 0.125 ± 0.25 more.
        assert_eq!(told([0.0, 0.5, 0.9]), None);
    }
}
