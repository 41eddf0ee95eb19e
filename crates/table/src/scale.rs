//! Numbers that name the columns of a table, as those of years and wavelengths do.

/// The step of numbers that ascend, each as far from the one before it; none of fewer than two.
///
/// # Examples
/// ```
/// use afterimage_table::even_step;
/// assert_eq!(even_step(&[400.5, 401.0, 401.5]), Some(0.5));
/// assert_eq!(even_step(&[2015.0, 2017.0, 2018.0]), None);
/// assert_eq!(even_step(&[7.0]), None);
/// ```
pub fn even_step(numbers: &[f64]) -> Option<f64> {
    let steps = || numbers.windows(2).map(|pair| pair[1] - pair[0]);
    let step = steps().next().filter(|step| *step > 0.0)?;
    let same = |other: f64| (other - step).abs() < 1e-6 * step;
    steps().all(same).then_some(step)
}
