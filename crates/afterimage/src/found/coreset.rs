//! How clean a coreset is, by the plugin `coreset-quality`.

use super::evidence::Evidence;
use super::{Found, LIMIT, when};
use crate::summary::Measured;

/// Adds the share of right labels beside that of a random choice, where they differ by more than chance.
pub(super) fn found(measured: &Measured<'_>, evidence: &Evidence, found: &mut Found) {
    found.sentences.extend(clean(measured, evidence));
}

fn clean(measured: &Measured<'_>, evidence: &Evidence) -> Option<String> {
    let step = measured.step("coreset/clean")?;
    let at = |what: &str| measured.at(&format!("coreset/{what}"), step);
    let (clean, random) = (at("clean")?, at("clean_random")?);
    let size = at("size_measured")?;
    let all = evidence.train()? as f64;
    // Of samples drawn without replacement.
    let error = (random * (1.0 - random) / size * (all - size) / (all - 1.0)).sqrt();
    if error.is_nan() || (clean - random).abs() <= LIMIT * error {
        return None;
    }
    let than = if clean > random {
        "cleaner"
    } else {
        "less clean"
    };
    Some(format!(
        "The coreset is {than} than a random one: {clean:.3} of its {size:.0} labels are right, and \
         {random:.3} ± {error:.3} of as many random ones{} (plugin `coreset-quality`).",
        when(measured, step)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::run;
    use super::super::tests::Records;
    use super::*;

    #[test]
    fn a_coreset_is_compared_with_random_ones() {
        let run = run();
        let told = |clean: f64, size: f64| {
            let records = Records::new(&[
                ("coreset/clean", 20, clean),
                ("coreset/clean_random", 20, 0.5),
                ("coreset/size_measured", 20, size),
            ]);
            clean_of(&records, run.path())
        };
        // Of three samples two are drawn: the share of a random choice misses by 0.25.
        let text = told(1.0, 2.0).unwrap_or_default();
        for words in ["cleaner than", "1.000 of its 2", "0.500 ± 0.250"] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        assert!(told(0.0, 2.0).unwrap_or_default().contains("less clean"));
        assert_eq!(told(0.9, 2.0), None);
    }

    fn clean_of(records: &Records, run: &std::path::Path) -> Option<String> {
        clean(&records.measured(), &Evidence::of(run))
    }
}
