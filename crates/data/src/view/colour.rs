//! Colour operations on planes `[C, H·W]` with values in `[0, 1]`.
//!
//! Each follows torchvision's operation of the same name on float tensors. Written as plain loops
//! over planes without branches, so that the compiler makes vector code of them.

use super::draw::ColourChange;

/// Weights of red, green and blue in gray, as torchvision rounds them.
const GRAY: [f32; 3] = [0.2989, 0.587, 0.114];

/// Applies one change to one gray plane or three colour planes.
pub(super) fn change(planes: &mut [f32], channels: usize, change: ColourChange) {
    match change {
        ColourChange::Brightness(factor) => brightness(planes, factor),
        ColourChange::Contrast(factor) => contrast(planes, channels, factor),
        ColourChange::Saturation(factor) if channels == 3 => saturation(planes, factor),
        ColourChange::Hue(turn) if channels == 3 => hue(planes, turn),
        // A gray image has neither saturation nor hue.
        ColourChange::Saturation(_) | ColourChange::Hue(_) => {}
    }
}

fn brightness(planes: &mut [f32], factor: f32) {
    planes.iter_mut().for_each(|v| *v = unit(*v * factor));
}

fn contrast(planes: &mut [f32], channels: usize, factor: f32) {
    let mean = if channels == 3 {
        let (r, g, b) = split(planes);
        ordered_sum(r.len(), |at| gray(r[at], g[at], b[at])) / r.len() as f64
    } else {
        ordered_sum(planes.len(), |at| planes[at]) / planes.len() as f64
    };
    let rest = (1.0 - factor) * mean as f32;
    planes
        .iter_mut()
        .for_each(|v| *v = unit(*v * factor + rest));
}

fn saturation(planes: &mut [f32], factor: f32) {
    let rest = 1.0 - factor;
    for ((r, g), b) in pixels(planes) {
        let gray = gray(*r, *g, *b) * rest;
        *r = unit(*r * factor + gray);
        *g = unit(*g * factor + gray);
        *b = unit(*b * factor + gray);
    }
}

/// Turns the hue by `turn` of the circle, −0.5 to 0.5.
///
/// HSV without its six cases: with h the hue in sixths, a channel of phase n is
/// `max − chroma · clamp(min(k, 4 − k), 0, 1)` where `k = (n + h) mod 6`, n = 5, 3, 1.
fn hue(planes: &mut [f32], turn: f32) {
    for ((r, g), b) in pixels(planes) {
        let max = larger(larger(*r, *g), *b);
        let min = smaller(smaller(*r, *g), *b);
        let chroma = max - min;
        let scale = 1.0 / if chroma == 0.0 { 1.0 } else { chroma };
        let from_blue = 4.0 + (*r - *g) * scale;
        let from_green = 2.0 + (*b - *r) * scale;
        let from_red = (*g - *b) * scale;
        let other = if max == *g { from_green } else { from_blue };
        let sixths = wrap(wrap(if max == *r { from_red } else { other }) + 6.0 * turn);
        let channel = |phase: f32| {
            let k = phase + sixths;
            let k = if k >= 6.0 { k - 6.0 } else { k };
            max - chroma * unit(smaller(k, 4.0 - k))
        };
        (*r, *g, *b) = (channel(5.0), channel(3.0), channel(1.0));
    }
}

/// Replaces the three planes by their gray.
pub(super) fn grayscale(planes: &mut [f32]) {
    for ((r, g), b) in pixels(planes) {
        let gray = gray(*r, *g, *b);
        (*r, *g, *b) = (gray, gray, gray);
    }
}

/// Inverts values at or above `threshold`.
pub(super) fn solarize(planes: &mut [f32], threshold: f32) {
    planes
        .iter_mut()
        .for_each(|v| *v = if *v >= threshold { 1.0 - *v } else { *v });
}

/// Inverts all values.
pub(super) fn invert(planes: &mut [f32]) {
    planes.iter_mut().for_each(|v| *v = 1.0 - *v);
}

/// Into `[0, 6)`, from one turn beside it.
#[inline(always)]
fn wrap(sixths: f32) -> f32 {
    let up = if sixths < 0.0 { sixths + 6.0 } else { sixths };
    if up >= 6.0 { up - 6.0 } else { up }
}

#[inline(always)]
fn gray(r: f32, g: f32, b: f32) -> f32 {
    GRAY[0] * r + GRAY[1] * g + GRAY[2] * b
}

// `f32::min`, `f32::max` handle NaN, which costs three instructions in place of one.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn unit(v: f32) -> f32 {
    smaller(larger(v, 0.0), 1.0)
}

fn split(planes: &mut [f32]) -> (&mut [f32], &mut [f32], &mut [f32]) {
    let (r, rest) = planes.split_at_mut(planes.len() / 3);
    let (g, b) = rest.split_at_mut(rest.len() / 2);
    (r, g, b)
}

#[inline(always)]
fn pixels(planes: &mut [f32]) -> impl Iterator<Item = ((&mut f32, &mut f32), &mut f32)> {
    let (r, g, b) = split(planes);
    r.iter_mut().zip(g).zip(b)
}

/// Σ value(0..n) in f64, over eight lanes in a fixed order.
#[inline(always)]
fn ordered_sum(n: usize, value: impl Fn(usize) -> f32) -> f64 {
    let mut lanes = [0.0f64; 8];
    for start in (0..n / 8 * 8).step_by(8) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f64::from(value(start + lane));
        }
    }
    let rest: f64 = (n / 8 * 8..n).map(|at| f64::from(value(at))).sum();
    lanes.iter().sum::<f64>() + rest
}
