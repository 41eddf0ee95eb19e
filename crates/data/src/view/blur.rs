//! Gaussian blur, separable, with mirrored borders (the border pixel itself is not repeated).

/// Reusable memory of [`blur`].
#[derive(Debug, Default)]
pub(super) struct BlurScratch {
    kernel: Vec<f32>,
    padded: Vec<f32>,
    rows: Vec<f32>,
}

/// Blurs each plane `[height, width]` with a Gaussian of `sigma` pixels cut to `size` (odd) taps.
///
/// `size / 2` must be less than height and width.
pub(super) fn blur(
    planes: &mut [f32],
    (height, width): (usize, usize),
    size: usize,
    sigma: f64,
    scratch: &mut BlurScratch,
) {
    let radius = size / 2;
    let BlurScratch {
        kernel,
        padded,
        rows,
    } = scratch;
    fill_kernel(kernel, radius, sigma);
    padded.resize(width + 2 * radius, 0.0);
    rows.resize(height * width, 0.0);
    for plane in planes.chunks_exact_mut(height * width) {
        for (source, target) in plane.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
            padded[radius..radius + width].copy_from_slice(source);
            for at in 0..radius {
                padded[radius - 1 - at] = source[at + 1];
                padded[radius + width + at] = source[width - 2 - at];
            }
            target.fill(0.0);
            for (tap, &weight) in kernel.iter().enumerate() {
                add(target, &padded[tap..tap + width], weight);
            }
        }
        for (y, target) in plane.chunks_exact_mut(width).enumerate() {
            target.fill(0.0);
            for (tap, &weight) in kernel.iter().enumerate() {
                let row = mirror(y + tap, radius, height);
                add(target, &rows[row * width..][..width], weight);
            }
        }
    }
}

fn fill_kernel(kernel: &mut Vec<f32>, radius: usize, sigma: f64) {
    let weight = |at: usize| (-0.5 * ((at as f64 - radius as f64) / sigma).powi(2)).exp();
    let sum: f64 = (0..=2 * radius).map(weight).sum();
    kernel.clear();
    kernel.extend((0..=2 * radius).map(|at| (weight(at) / sum) as f32));
}

/// Row `y − radius` of a plane with mirrored borders.
fn mirror(y: usize, radius: usize, height: usize) -> usize {
    let inside = y.abs_diff(radius);
    if y >= radius && inside >= height {
        2 * (height - 1) - inside
    } else {
        inside
    }
}

#[inline(always)]
fn add(target: &mut [f32], source: &[f32], weight: f32) {
    target
        .iter_mut()
        .zip(source)
        .for_each(|(value, &v)| *value += weight * v);
}
