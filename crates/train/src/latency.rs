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
    times.remove(0);
    times.sort_unstable_by(f64::total_cmp);
    Ok(times[times.len() / 2])
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_pass_does_not_count_and_a_fault_is_told() {
        let mut passes = 0;
        let median = median_milliseconds(3, || {
            passes += 1;
            // The first one, and one of the three that count.
            let slow = matches!(passes, 1 | 3);
            std::thread::sleep(Duration::from_millis(if slow { 200 } else { 1 }));
            Ok(Tensor::zeros([1, 1], &burn::tensor::Device::flex()))
        });
        assert_eq!(passes, 4);
        assert!(median.is_ok_and(|median| (1.0..200.0).contains(&median)));
        assert!(median_milliseconds(1, || Err(Fault::new("broken"))).is_err());
    }
}
