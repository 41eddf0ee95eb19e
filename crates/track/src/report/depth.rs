//! Heat maps of layers over epochs: a score beside its nulls, on one scale.

use afterimage_report::{HeatCell, HeatMap, Scale, aligned, evenly};
use maud::{Markup, html};

use super::load::{Run, Scalar};

/// Epochs that a map has columns for.
const EPOCHS: usize = 24;
/// Standard errors within which a value may be chance.
const CLEAR: f64 = 2.0;

/// One map: the tag up to the layer, that of its standard error if it has one, and its heading.
pub(super) struct Of<'a> {
    pub(super) tag: &'a str,
    pub(super) error: Option<&'a str>,
    pub(super) title: String,
}

/// Maps of those of `sets` that were measured at least twice, in one scale, as a grid; nothing without any.
/// `signed` says that 0 has a meaning in the middle.
pub(super) fn maps(run: &Run, sets: &[Of<'_>], signed: bool) -> Markup {
    let found: Vec<(&Of<'_>, Vec<(String, &Scalar)>)> = sets
        .iter()
        .map(|of| (of, layers(run, of.tag)))
        .filter(|(_, layers)| layers.len() > 1)
        .collect();
    let mut epochs: Vec<u32> = found
        .iter()
        .flat_map(|(_, layers)| layers.iter().flat_map(|(_, scalar)| &scalar.epochs))
        .copied()
        .collect();
    epochs.sort_unstable();
    epochs.dedup();
    if epochs.len() < 2 {
        return Markup::default();
    }
    let chosen = evenly(epochs.len(), EPOCHS);
    let epochs: Vec<u32> = chosen.into_iter().map(|at| epochs[at]).collect();
    let columns: Vec<String> = epochs.iter().map(u32::to_string).collect();
    type Rows = Vec<(String, Vec<HeatCell>)>;
    let drawn: Vec<(&Of<'_>, Rows)> = found
        .iter()
        .map(|(of, layers)| {
            let row = |(layer, scalar): &(String, &Scalar)| {
                let error = of
                    .error
                    .and_then(|error| run.scalar(&format!("{error}{layer}")));
                (layer.clone(), cells(layer, scalar, error, &epochs))
            };
            (*of, layers.iter().map(row).collect())
        })
        .collect();
    let values = || {
        let cells = drawn
            .iter()
            .flat_map(|(_, rows)| rows.iter().flat_map(|(_, cells)| cells));
        cells
            .map(|cell| cell.value)
            .filter(|value| value.is_finite())
    };
    let scale = match signed {
        true => Scale::Signed(values().map(f64::abs).fold(0.0, f64::max)),
        false => Scale::Between(
            values().fold(f64::INFINITY, f64::min),
            values().fold(f64::NEG_INFINITY, f64::max),
        ),
    };
    if values().next().is_none() {
        return Markup::default();
    }
    html! {
        div.maps {
            @for (of, rows) in &drawn {
                (HeatMap { title: &of.title, columns: &columns, rows, scale })
            }
        }
    }
}

/// The layers that have a scalar below `tag`.
fn layers<'r>(run: &'r Run, tag: &str) -> Vec<(String, &'r Scalar)> {
    let all = run.scalars.iter().filter_map(|scalar| {
        let layer = scalar.tag.strip_prefix(tag)?;
        Some((layer.to_owned(), scalar))
    });
    // All sites together are no layer.
    all.filter(|(layer, _)| layer != "all").collect()
}

/// The cells of a layer at `epochs`; of an epoch with several values the last.
fn cells(layer: &str, scalar: &Scalar, error: Option<&Scalar>, epochs: &[u32]) -> Vec<HeatCell> {
    let values = scalar.by_epoch();
    let errors = error.map(Scalar::by_epoch).unwrap_or_default();
    let cell = |epoch: &u32| {
        let value = values.get(epoch).copied().unwrap_or(f64::NAN);
        let error = errors.get(epoch).copied().unwrap_or(f64::NAN);
        let mut title = format!("{layer}, epoch {epoch}: {}", aligned(value));
        if error.is_finite() {
            title += &format!(" ± {}", aligned(error));
        }
        HeatCell {
            value,
            title,
            unsure: value.abs() <= CLEAR * error,
        }
    };
    epochs.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(tag: &str, values: &[f64]) -> Scalar {
        Scalar {
            tag: tag.to_owned(),
            points: values
                .iter()
                .enumerate()
                .map(|(at, value)| (10.0 * at as f64, *value))
                .collect(),
            epochs: (0..values.len() as u32).collect(),
        }
    }

    fn of<'a>(tag: &'a str, error: Option<&'a str>) -> Of<'a> {
        Of {
            tag,
            error,
            title: tag.to_owned(),
        }
    }

    #[test]
    fn layers_have_rows_epochs_columns_and_chance_its_own_look() {
        let run = Run {
            scalars: vec![
                scalar("m/a", &[0.0, 0.5]),
                scalar("m/b", &[0.25, f64::NAN]),
                scalar("m/all", &[9.0, 9.0]),
                scalar("n/a", &[0.1, -0.1]),
                scalar("n/b", &[0.1, 0.1]),
                scalar("se/a", &[0.1, 0.1]),
            ],
            ..Run::default()
        };
        let html = maps(&run, &[of("m/", Some("se/")), of("n/", None)], true).into_string();
        assert_eq!(html.matches("<svg").count(), 2);
        // 0 ± 0.1 at the start, and its swatch.
        assert_eq!(html.matches("class=\"unsure\"").count(), 2, "{html}");
        assert!(html.contains("a, epoch 1: 0.500 ± 0.100") && html.contains("not measured"));
        // All sites together would stretch the scale.
        assert!(html.contains("#b2182b"), "{html}");
        let first = html.split("</figure>").next().unwrap_or_default();
        assert!(
            first.contains("layer,0,1%0Aa,0,0.5%0Ab,0.25,%0A"),
            "{first}"
        );
    }

    #[test]
    fn one_epoch_or_one_layer_is_no_map() {
        let run = Run {
            scalars: vec![
                scalar("m/a", &[0.5]),
                scalar("m/b", &[0.5]),
                scalar("n/a", &[0.1, 0.2]),
            ],
            ..Run::default()
        };
        let none = maps(&run, &[of("m/", None), of("n/", None)], true);
        assert_eq!(none.into_string(), "");
    }
}
