//! How long a forward pass takes.

use std::collections::BTreeMap;
use std::time::Instant;

use afterimage_hooks::Fault;
use afterimage_model::ModelError;
use afterimage_model::compact::{Kept, cut};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::live::LiveModel;

/// Median milliseconds of `repeats` calls of `pass`, at least one, behind one that is not counted; what it gives
/// `[B, D]` is read each time, since a device is done only then.
///
/// # Errors
/// A pass that fails, or values that cannot be read.
pub fn median_milliseconds(
    repeats: usize,
    mut pass: impl FnMut() -> Result<Tensor<2>, Fault>,
) -> Result<f64, Fault> {
    let mut times = Vec::new();
    for _ in 0..=repeats.max(1) {
        let start = Instant::now();
        let read = pass()?.try_into_vec_as::<f32>();
        read.map_err(|error| Fault::new(error.to_string()))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median_behind_first(times))
}

/// The median of all times but the first, of an even number the upper one; there are two times at least.
fn median_behind_first(mut times: Vec<f64>) -> f64 {
    times.remove(0);
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// As [`ModelView::latency`](afterimage_hooks::ModelView::latency).
pub(crate) fn without<M: Module>(
    live: &LiveModel<'_, M>,
    gone: &BTreeMap<String, Vec<usize>>,
    images: &Tensor<4>,
    repeats: usize,
) -> Result<Option<f64>, Fault> {
    let fault = |error: ModelError| Fault::new(error.to_string());
    let groups = live.driver.groups(&live.model);
    if groups.is_empty() {
        return Ok(None);
    }
    let mut masks = live.masks.clone();
    for (name, units) in gone {
        let site = live.sites.iter().find(|site| site.name == *name);
        let site = site.ok_or_else(|| Fault::new(format!("there is no site {name:?}")))?;
        masks.prune(site, units).map_err(fault)?;
    }
    let kept = Kept::without_pruned(&groups, &masks, false);
    let left = kept.masks(&groups, &masks).map_err(fault)?;
    let cuts = kept.cuts(&groups);
    let smaller = cut(&live.model, &cuts, |path| live.driver.in_encoder(path)).map_err(fault)?;
    let smaller = smaller.valid();
    let pass = || live.driver.embed(&smaller, images.clone(), &left);
    median_milliseconds(repeats, pass).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_does_not_count() {
        assert_eq!(median_behind_first(vec![200.0, 1.0, 200.0, 2.0]), 2.0);
        assert_eq!(median_behind_first(vec![1.0, 200.0]), 200.0);
        assert_eq!(median_behind_first(vec![200.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_pass_more_is_made_and_a_fault_is_told() {
        for (repeats, made) in [(0, 2), (1, 2), (3, 4)] {
            let mut passes = 0;
            let median = median_milliseconds(repeats, || {
                passes += 1;
                Ok(Tensor::zeros([1, 1], &burn::tensor::Device::flex()))
            });
            assert_eq!(passes, made);
            assert!(median.is_ok_and(|median| median >= 0.0));
        }
        assert!(median_milliseconds(1, || Err(Fault::new("broken"))).is_err());
    }
}
