//! One self-contained HTML page about a study.

use afterimage_report::{
    Axis, Chart, Fold, HeatCell, HeatMap, Page, Scale, Section, Series, Table, items, short,
    short_or_dash,
};
use maud::{Markup, html};

use super::table::spread;
use super::{Arm, Chosen, Control, Sensitivity, Way};
use crate::numbers::percent;

/// Standard errors within which a loss may be chance.
const CLEAR: f64 = 2.0;

/// The page.
pub(super) fn render(found: &Sensitivity) -> String {
    let mut page = Page::new("Sensitivity to the loss of units")
        .live()
        .head(told(found))
        .section(
            Section::new("kNN lost, site by site")
                .note(
                    "Random units first: what the loss of any units does. Then, for each score, what is lost beside \
                     as many random units of the same site: red is worse than random, blue is better. What lies within \
                     two standard errors of 0, over images and draws, is drawn as not told apart from it.",
                )
                .content(heat_maps(found)),
        );
    if let Some(proposal) = &found.proposal {
        let section = Section::new("Proposal").note(proposal.summary());
        page = page.section(section.content(proposal.table()));
    }
    let all = Fold::new(format!("{} arms", found.arms.len()), arms(found));
    page.section(
        Section::new("Curves by site")
            .note("kNN lost over the percent of units that are gone.")
            .figures(curves(found)),
    )
    .section(
        Section::new("All arms")
            .note("– is not measured.")
            .content(all),
    )
    .html()
}

/// What was studied, and what is to be known of it.
fn told(found: &Sensitivity) -> Markup {
    let (bank, held_out) = found.images;
    let whole = &found.whole.figures;
    html! {
        p.note {
            (found.encoder) ". As it is: kNN " (short(whole.knn)) ", linear probe " (short(whole.linear_probe))
            " on " (held_out) " held-out images (" (bank) " training images). Units of one site at a time are held \
             at zero; units that residual sums or heads tie go together. Seed " (found.seed) "."
        }
        @if !found.notes.is_empty() { ul.note { (items(&found.notes)) } }
    }
}

type Rows = Vec<(String, Vec<HeatCell>)>;

fn heat_maps(found: &Sensitivity) -> Markup {
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
        let scale = Scale::Signed(most);
        html! { (HeatMap { title, columns: &columns, rows, scale }) }
    };
    let all: Vec<_> = scored.iter().map(|(_, rows)| rows).collect();
    let same = most(&all);
    let beside = |way: Way| format!("{}: kNN lost beside random units", Sensitivity::way(way));
    html! {
        div.maps {
            (map("Random units: kNN lost", &random, most(&[&random])))
            @for (way, rows) in &scored { (map(&beside(*way), rows, same)) }
        }
    }
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

fn curves(found: &Sensitivity) -> impl Iterator<Item = Chart> {
    let chart = |site: &str| {
        let line = |label: String, value: &dyn Fn(f64) -> Option<f64>| {
            let points = found.fractions.iter();
            let points = points.filter_map(|f| Some((100.0 * f, value(*f)?)));
            Series::new(label, points.collect())
        };
        let of = |way: &Way| {
            line(Sensitivity::way(*way), &|fraction| {
                let arm = found.arm(site, fraction, *way)?;
                Some(arm.figures.knn_lost)
            })
        };
        let random = line("random".to_owned(), &|fraction| {
            found.random(site, fraction).map(|control| control.knn_lost)
        });
        let lines = found.ways.iter().map(of);
        let lines = lines.chain([random.dashed(true)]).collect();
        Chart::lines(site, Axis::Counts("% of units".to_owned()), lines)
    };
    found.sites.iter().map(move |site| chart(&site.name))
}

fn arms(found: &Sensitivity) -> Table {
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
            short_or_dash(figures.knn),
            short_or_dash(figures.knn_lost),
            short_or_dash(figures.knn_lost_se),
            short_or_dash(figures.linear_probe),
            short_or_dash(figures.cosine_distance),
            short_or_dash(figures.relative_l2),
            arm.macs.map_or("–".to_owned(), |macs| macs.to_string()),
            short_or_dash(arm.layermem.map_or(f64::NAN, |mem| mem.mean)),
            short_or_dash(arm.milliseconds.unwrap_or(f64::NAN)),
        ]
    };
    let all = std::iter::once(&found.whole).chain(&found.arms);
    Table::new(&header).sorts("arms").rows(all.map(row))
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
