//! One self-contained HTML page about a study.

use afterimage_track::html::{
    Axis, HeatCell, HeatMap, Scale, Series, escape, line_chart, live_document, section, short,
    sorted_table,
};

use super::table::spread;
use super::{Arm, Chosen, Control, Sensitivity, Way};
use crate::numbers::percent;

/// Standard errors within which a loss may be chance.
const CLEAR: f64 = 2.0;

/// The page.
pub(super) fn render(found: &Sensitivity) -> String {
    let title = "Sensitivity to the loss of units";
    let (bank, held_out) = found.images;
    let whole = &found.whole.figures;
    let mut body = format!(
        "<h1>{title}</h1><p class=note>{}. As it is: kNN {}, linear probe {} on {held_out} held-out \
         images ({bank} training images). Units of one site at a time are held at zero; units that \
         residual sums or heads tie go together. Seed {}.</p>",
        escape(&found.encoder),
        short(whole.knn),
        short(whole.linear_probe),
        found.seed
    );
    if !found.notes.is_empty() {
        let notes: Vec<String> = found
            .notes
            .iter()
            .map(|note| format!("<li>{}</li>", escape(note)))
            .collect();
        body += &format!("<ul class=note>{}</ul>", notes.concat());
    }
    body += &section(
        "kNN lost, site by site",
        "Random units first: what the loss of any units does. Then, for each score, what is lost beside \
         as many random units of the same site: red is worse than random, blue is better. What lies within \
         two standard errors of 0, over images and draws, is drawn as not told apart from it.",
        &heat_maps(found),
    );
    if let Some(proposal) = &found.proposal {
        body += &section(
            "Proposal",
            &escape(&proposal.summary()),
            &proposal.rows_html(),
        );
    }
    body += &section(
        "Curves by site",
        "kNN lost over the percent of units that are gone.",
        &curves(found),
    );
    body += &section(
        "All arms",
        "– is not measured.",
        &format!(
            "<details><summary>{} arms</summary>{}</details>",
            found.arms.len(),
            arms(found)
        ),
    );
    live_document(title, &body)
}

type Rows = Vec<(String, Vec<HeatCell>)>;

fn heat_maps(found: &Sensitivity) -> String {
    let columns: Vec<String> = found.fractions.iter().map(|f| percent(*f)).collect();
    let rows = |of: &dyn Fn(&str, f64) -> HeatCell| -> Rows {
        let row = |name: &String| {
            let cells = found.fractions.iter().map(|fraction| of(name, *fraction));
            (name.clone(), cells.collect())
        };
        found.sites.iter().map(|site| row(&site.name)).collect()
    };
    let random = rows(&|site, fraction| at_random(found, site, fraction));
    let scored: Vec<(Way, Rows)> = found
        .ways
        .iter()
        .map(|way| {
            (
                *way,
                rows(&|site, fraction| beside(found, site, fraction, *way)),
            )
        })
        .collect();
    let most = |maps: &[&Rows]| {
        let cells = maps
            .iter()
            .flat_map(|rows| rows.iter().flat_map(|(_, cells)| cells));
        cells.map(|cell| cell.value.abs()).fold(0.0, f64::max)
    };
    let map = |title: &str, rows: &Rows, most: f64| {
        HeatMap {
            title,
            columns: &columns,
            rows,
            scale: Scale::Signed(most),
        }
        .html()
    };
    let all: Vec<_> = scored.iter().map(|(_, rows)| rows).collect();
    let same = most(&all);
    let mut html = map("Random units: kNN lost", &random, most(&[&random]));
    for (way, rows) in &scored {
        let title = format!("{}: kNN lost beside random units", Sensitivity::way(*way));
        html += &map(&title, rows, same);
    }
    format!("<div class=maps>{html}</div>")
}

/// Whether chance may have made `value`, by its error over images and that of the mean over draws.
fn may_be_chance(value: f64, images: f64, control: &Control) -> bool {
    // Of one draw nothing is known of others.
    let draws = match control.deviation.is_nan() {
        true => 0.0,
        false => control.deviation / (control.draws as f64).sqrt(),
    };
    value.abs() <= CLEAR * images.hypot(draws)
}

/// What random units lost.
fn at_random(found: &Sensitivity, site: &str, fraction: f64) -> HeatCell {
    let control = found.random(site, fraction);
    let title = format!(
        "{site}, {}: {} over {} draws",
        percent(fraction),
        spread(control),
        control.map_or(0, |control| control.draws)
    );
    let Some(control) = control else {
        return HeatCell {
            value: f64::NAN,
            title,
            unsure: false,
        };
    };
    let draws = found.arms.iter().filter(|arm| {
        arm.site == site && arm.fraction == fraction && matches!(arm.chosen, Chosen::Random(_))
    });
    let images = draws.map(|arm| arm.figures.knn_lost_se).fold(0.0, f64::max);
    HeatCell {
        value: control.knn_lost,
        title,
        unsure: may_be_chance(control.knn_lost, images, &control),
    }
}

/// What an arm lost beside random units.
fn beside(found: &Sensitivity, site: &str, fraction: f64, way: Way) -> HeatCell {
    let Some(arm) = found.arm(site, fraction, way) else {
        return HeatCell {
            value: f64::NAN,
            title: format!(
                "{site}, {}: no unit has this score, or none goes",
                percent(fraction)
            ),
            unsure: false,
        };
    };
    let control = found.beside(arm);
    let figures = &arm.figures;
    let value = control.map_or(f64::NAN, |c| figures.knn_lost - c.knn_lost);
    HeatCell {
        value,
        unsure: control.is_some_and(|c| may_be_chance(value, figures.knn_lost_se, &c)),
        title: format!(
            "{site}, {}: {} units. kNN lost {} ± {} (error over images), random {}. Linear probe lost \
             {}, cosine distance {}",
            percent(fraction),
            arm.gone,
            short(figures.knn_lost),
            short(figures.knn_lost_se),
            spread(control),
            short(figures.linear_probe_lost),
            short(figures.cosine_distance)
        ),
    }
}

fn curves(found: &Sensitivity) -> String {
    let chart = |site: &str| {
        let line = |label: String, dashed, value: &dyn Fn(f64) -> Option<f64>| Series {
            label,
            dashed,
            points: found
                .fractions
                .iter()
                .filter_map(|f| Some((100.0 * f, value(*f)?)))
                .collect(),
        };
        let mut series: Vec<Series> = found
            .ways
            .iter()
            .map(|way| {
                line(Sensitivity::way(*way), false, &|fraction| {
                    found
                        .arm(site, fraction, *way)
                        .map(|arm| arm.figures.knn_lost)
                })
            })
            .collect();
        series.push(line("random".to_owned(), true, &|fraction| {
            found.random(site, fraction).map(|control| control.knn_lost)
        }));
        line_chart(site, &Axis::Counts("% of units".to_owned()), &series)
    };
    found.sites.iter().map(|site| chart(&site.name)).collect()
}

fn arms(found: &Sensitivity) -> String {
    let header = [
        "site",
        "fraction",
        "units gone",
        "chosen by",
        "draw",
        "kNN",
        "kNN lost",
        "± over images",
        "linear probe",
        "cosine distance",
        "relative L2",
        "MACs left",
        "LayerMem",
        "ms",
    ];
    let number = |value: f64| {
        if value.is_nan() {
            "–".to_owned()
        } else {
            short(value)
        }
    };
    let row = |arm: &Arm| {
        let figures = &arm.figures;
        let draw = match arm.chosen {
            Chosen::Random(draw) => draw.to_string(),
            _ => "–".to_owned(),
        };
        vec![
            arm.site.clone(),
            short(arm.fraction),
            arm.gone.to_string(),
            format!("{} {}", arm.chosen.direction(), arm.chosen.score()),
            draw,
            number(figures.knn),
            number(figures.knn_lost),
            number(figures.knn_lost_se),
            number(figures.linear_probe),
            number(figures.cosine_distance),
            number(figures.relative_l2),
            arm.macs.map_or("–".to_owned(), |macs| macs.to_string()),
            number(arm.layermem.map_or(f64::NAN, |mem| mem.mean)),
            number(arm.milliseconds.unwrap_or(f64::NAN)),
        ]
    };
    let rows: Vec<Vec<String>> = std::iter::once(&found.whole)
        .chain(&found.arms)
        .map(row)
        .collect();
    sorted_table("arms", &header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_within_two_errors_of_images_and_draws_may_be_chance() {
        let control = |deviation, draws| Control {
            knn_lost: 0.0,
            deviation,
            draws,
        };
        // √(0.03² + (0.08 / √4)²) = 0.05.
        assert!(may_be_chance(0.099, 0.03, &control(0.08, 4)));
        assert!(!may_be_chance(-0.101, 0.03, &control(0.08, 4)));
        assert!(may_be_chance(-0.059, 0.03, &control(f64::NAN, 1)));
        assert!(!may_be_chance(0.061, 0.03, &control(f64::NAN, 1)));
    }
}
