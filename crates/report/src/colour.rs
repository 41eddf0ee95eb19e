//! Colours of lines and of values.

/// Groups that get a colour of their own; more are coloured along their order.
const COLOURS: usize = 8;

/// The colour of line or group `index` of `count`: named in the style sheet for few, a scale from blue to red
/// along their order for many.
pub(crate) fn of_group(index: usize, count: usize) -> String {
    if count <= COLOURS {
        return format!("var(--c{index})");
    }
    let share = index as f64 / (count - 1) as f64;
    format!("hsl({:.0} 65% 52%)", 250.0 - 250.0 * share)
}

/// The colour at `share`, from 0 to 1, of a scale with evenly spaced `stops`: red, green and blue from 0 to 255.
pub fn between(stops: &[(f64, f64, f64)], share: f64) -> String {
    let at = share.clamp(0.0, 1.0) * stops.len().saturating_sub(1) as f64;
    let below = (at as usize).min(stops.len().saturating_sub(2));
    match (stops.get(below), stops.get(below + 1)) {
        (Some(&from), Some(&to)) => mixed(from, to, at - below as f64),
        (Some(&only), None) => mixed(only, only, 0.0),
        (None, _) => "currentColor".to_owned(),
    }
}

/// The colour that has `share` of `to` and the rest of `from`.
pub(crate) fn mixed(from: (f64, f64, f64), to: (f64, f64, f64), share: f64) -> String {
    let mix = |a: f64, b: f64| (a + (b - a) * share).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(from.0, to.0),
        mix(from.1, to.1),
        mix(from.2, to.2)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_passes_through_its_stops() {
        let stops = [(0.0, 0.0, 0.0), (255.0, 0.0, 0.0), (255.0, 255.0, 255.0)];
        let of = |share| between(&stops, share);
        assert_eq!(
            [of(-1.0), of(0.25), of(0.5), of(1.0)],
            ["#000000", "#800000", "#ff0000", "#ffffff"]
        );
        assert_eq!(between(&stops[1..2], 0.3), "#ff0000");
    }

    #[test]
    fn few_lines_have_named_colours_and_many_a_scale() {
        assert_eq!(of_group(7, 8), "var(--c7)");
        assert_eq!(of_group(0, 9), "hsl(250 65% 52%)");
        assert_eq!(of_group(8, 9), "hsl(0 65% 52%)");
    }
}
