//! Numbers as they are told.

/// Percent of a share, as few digits as it takes.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", (share * 1e8).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_have_no_digits_that_a_product_leaves_behind() {
        assert_eq!(percent(0.07), "7 %");
        assert_eq!(percent(0.29), "29 %");
        assert_eq!(percent(0.125), "12.5 %");
    }
}
