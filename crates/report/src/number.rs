//! Numbers as a page shows them.

/// A number in four significant digits, without trailing zeros.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    if !value.is_finite() || !(1e-4..1e7).contains(&size) {
        return if value.is_finite() {
            format!("{value:.2e}")
        } else {
            value.to_string()
        };
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// As [`short`]; a dash where there is no number (NaN).
pub fn short_or_dash(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else {
        short(value)
    }
}

/// As [`short_or_dash`], with three decimals for the size that scores and shares have, so that columns can be
/// compared.
pub fn aligned(value: f64) -> String {
    match value.abs() {
        size if (0.000_05..0.0005).contains(&size) => format!("{value:.4}"),
        size if (0.0005..10.0).contains(&size) && value.fract() != 0.0 => format!("{value:.3}"),
        _ => short_or_dash(value),
    }
}

/// A number in seven significant digits for a machine to read; nothing where there is none (NaN).
pub(crate) fn digits(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.6e}")
            .parse::<f64>()
            .map_or_else(|_| value.to_string(), |rounded| rounded.to_string()),
        false if value.is_nan() => String::new(),
        false => value.to_string(),
    }
}

/// `evenly(n, k)` of `0..n`: the first, the last and evenly spaced ones between, `k` at most.
pub fn evenly(n: usize, k: usize) -> Vec<usize> {
    if n <= k {
        return (0..n).collect();
    }
    if k < 2 {
        return (n - k..n).collect();
    }
    (0..k).map(|i| i * (n - 1) / (k - 1)).collect()
}

/// The smallest and the largest of `values`; infinities the wrong way round without any.
pub(crate) fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts = [
            0.0,
            0.5,
            1234.5678,
            -0.000_321,
            1e-9,
            12_000.0,
            f64::INFINITY,
        ]
        .map(short);
        assert_eq!(
            texts,
            ["0", "0.5", "1235", "-0.000321", "1.00e-9", "12000", "inf"]
        );
        assert_eq!([f64::NAN, 0.25].map(short_or_dash), ["–", "0.25"]);
    }

    #[test]
    fn numbers_of_a_column_have_as_many_decimals() {
        let texts = [0.5, -1.25, 0.0001, 3.0, 12.5, f64::NAN].map(aligned);
        assert_eq!(texts, ["0.500", "-1.250", "0.0001", "3", "12.5", "–"]);
    }

    #[test]
    fn a_choice_keeps_both_ends() {
        assert_eq!(evenly(10, 4), [0, 3, 6, 9]);
        assert_eq!(evenly(3, 4), [0, 1, 2]);
        assert_eq!(evenly(5, 1), [4]);
        assert!(evenly(0, 4).is_empty());
    }
}
