//! One self-contained HTML page about a study.

use afterimage_track::html::{Axis, Series, document, escape, line_chart, section, short, table};

use super::heat::{Cell, map};
use super::table::spread;
use super::{Arm, Chosen, Sensitivity, Way};
use crate::numbers::percent;

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
         as many random units of the same site: red is worse than random, blue is better.",
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
    document(title, &body)
}

fn heat_maps(found: &Sensitivity) -> String {
    let columns: Vec<String> = found.fractions.iter().map(|f| percent(*f)).collect();
    let rows = |of: &dyn Fn(&str, f64) -> Cell| -> Vec<(String, Vec<Cell>)> {
        let row = |name: &String| {
            let cells = found.fractions.iter().map(|fraction| of(name, *fraction));
            (name.clone(), cells.collect())
        };
        found.sites.iter().map(|site| row(&site.name)).collect()
    };
    let random = rows(&|site, fraction| {
        let control = found.random(site, fraction);
        Cell {
            value: control.map_or(f64::NAN, |control| control.knn_lost),
            title: format!(
                "{site}, {}: {} over {} draws",
                percent(fraction),
                spread(control),
                control.map_or(0, |control| control.draws)
            ),
        }
    });
    let scored: Vec<_> = found
        .ways
        .iter()
        .map(|way| {
            (
                *way,
                rows(&|site, fraction| beside(found, site, fraction, *way)),
            )
        })
        .collect();
    let most = |maps: &[&Vec<(String, Vec<Cell>)>]| {
        let cells = maps
            .iter()
            .flat_map(|rows| rows.iter().flat_map(|(_, cells)| cells));
        cells.map(|cell| cell.value.abs()).fold(0.0, f64::max)
    };
    let all: Vec<_> = scored.iter().map(|(_, rows)| rows).collect();
    let same = most(&all);
    let mut html = map(
        "Random units: kNN lost",
        &columns,
        &random,
        most(&[&random]),
    );
    for (way, rows) in &scored {
        let title = format!("{}: kNN lost beside random units", Sensitivity::way(*way));
        html += &map(&title, &columns, rows, same);
    }
    html
}

/// What an arm lost beside random units.
fn beside(found: &Sensitivity, site: &str, fraction: f64, way: Way) -> Cell {
    let Some(arm) = found.arm(site, fraction, way) else {
        return Cell {
            value: f64::NAN,
            title: format!(
                "{site}, {}: no unit has this score, or none goes",
                percent(fraction)
            ),
        };
    };
    let control = found.beside(arm);
    let figures = &arm.figures;
    Cell {
        value: control.map_or(f64::NAN, |c| figures.knn_lost - c.knn_lost),
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
    table(&header, &rows)
}
