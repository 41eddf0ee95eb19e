//! Tables of an ablation, and its curve of usefulness against memory left.

use std::fs;
use std::path::Path;

use afterimage_hooks::{Column, Table};
use afterimage_memory::LayerMemory;
use afterimage_track::files::write_beside;
use afterimage_track::html::{Axis, Series, document, escape, line_chart, section, table};
use afterimage_track::write_table;

use super::ablate::Ablation;
use super::arms::{Arm, moments};
use crate::error::RunError;
use crate::probe::partial_of;

/// A number of an arm.
type Of = fn(&Arm) -> f64;

/// What an encoder is good for.
const USE: [(&str, Of); 2] = [
    ("kNN accuracy", |arm| arm.knn),
    ("linear probe", |arm| arm.linear_probe),
];

/// Memory at the embedding; those that were measured are drawn.
const MEMORY: [(&str, Of); 4] = [
    ("area of LayerMem", |arm| {
        let area = arm.left().and_then(|left| left.area);
        area.map_or(f64::NAN, |area| area.area)
    }),
    ("calibrated LayerMem", |arm| {
        let calibrated = arm.left().and_then(|left| left.calibrated);
        calibrated.map_or(f64::NAN, |calibrated| calibrated.mean)
    }),
    ("area of the alignment gap", |arm| {
        arm.left().map_or(f64::NAN, |left| left.gap_area.area)
    }),
    ("alignment gap", |arm| {
        arm.left().map_or(f64::NAN, |left| left.gap)
    }),
];

/// Writes `arms.parquet` and `arms.csv`, a row an arm and layer, and the page `report.html` to the new
/// directory `out`, which appears whole.
pub(super) fn write(ablation: &Ablation, out: &Path) -> Result<(), RunError> {
    let partial = partial_of(out);
    fs::create_dir_all(&partial).map_err(RunError::io(&partial, "make"))?;
    let written = write_files(ablation, &partial);
    if written.is_err() {
        // What is in it is of no use; the error is what counts.
        let _ = fs::remove_dir_all(&partial);
    }
    written?;
    if out.exists() {
        fs::remove_dir(out).map_err(RunError::io(out, "replace"))?;
    }
    fs::rename(&partial, out).map_err(RunError::io(out, "rename the result to"))
}

fn write_files(ablation: &Ablation, folder: &Path) -> Result<(), RunError> {
    let arms = rows(ablation);
    write_table(&folder.join("arms.parquet"), &arms)?;
    write_beside(&folder.join("arms.csv"), csv(&arms).as_bytes())?;
    Ok(write_beside(
        &folder.join("report.html"),
        page(ablation).as_bytes(),
    )?)
}

/// One arm with what tells it from the others.
struct Row<'a> {
    arm: &'a Arm,
    kind: &'static str,
    score: String,
    end: String,
    fraction: f64,
    units: usize,
    draw: usize,
}

fn all(ablation: &Ablation) -> Vec<Row<'_>> {
    let plain = |arm, kind, fraction, units, draw| Row {
        arm,
        kind,
        score: String::new(),
        end: String::new(),
        fraction,
        units,
        draw,
    };
    let mut rows = vec![plain(&ablation.original, "as it is", 0.0, 0, 0)];
    for cut in &ablation.cuts {
        let arms = [
            ("chosen", Some(&cut.chosen)),
            ("as active", cut.matched.as_ref()),
        ];
        for (kind, arm) in arms {
            rows.extend(arm.map(|arm| Row {
                score: cut.score.to_string(),
                end: cut.end.to_string(),
                ..plain(arm, kind, cut.fraction, cut.units, 0)
            }));
        }
    }
    for random in &ablation.random {
        let draws = random.draws.iter().enumerate();
        rows.extend(
            draws.map(|(at, arm)| plain(arm, "random", random.fraction, random.units, at + 1)),
        );
    }
    rows
}

/// A row an arm and layer.
fn rows(ablation: &Ablation) -> Table {
    let arms = all(ablation);
    let rows: Vec<(&Row<'_>, &LayerMemory)> = arms
        .iter()
        .flat_map(|row| row.arm.memory.iter().map(move |layer| (row, layer)))
        .collect();
    let text =
        |of: &dyn Fn(&Row<'_>) -> String| Column::Text(rows.iter().map(|row| of(row.0)).collect());
    let whole = |of: &dyn Fn(&Row<'_>) -> usize| {
        Column::I64(rows.iter().map(|row| of(row.0) as i64).collect())
    };
    let number =
        |of: &dyn Fn(&Row<'_>) -> f64| Column::F64(rows.iter().map(|row| of(row.0)).collect());
    let left =
        |of: &dyn Fn(&LayerMemory) -> f64| Column::F64(rows.iter().map(|row| of(row.1)).collect());
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let columns = [
        ("arm", text(&|row| row.kind.to_owned())),
        ("score", text(&|row| row.score.clone())),
        ("end", text(&|row| row.end.clone())),
        ("fraction", number(&|row| row.fraction)),
        ("units", whole(&|row| row.units)),
        ("draw", whole(&|row| row.draw)),
        ("knn", number(&|row| row.arm.knn)),
        ("linear_probe", number(&|row| row.arm.linear_probe)),
        (
            "layer",
            Column::Text(rows.iter().map(|row| row.1.layer.clone()).collect()),
        ),
        (
            "calibrated",
            left(&|l| or_nan(l.calibrated.map(|c| c.mean))),
        ),
        (
            "calibrated_se",
            left(&|l| or_nan(l.calibrated.map(|c| c.standard_error))),
        ),
        ("area", left(&|l| or_nan(l.area.map(|a| a.area)))),
        (
            "area_se",
            left(&|l| or_nan(l.area.map(|a| a.standard_error))),
        ),
        ("area_null", left(&|l| or_nan(l.area_null.map(|a| a.area)))),
        (
            "area_null_se",
            left(&|l| or_nan(l.area_null.map(|a| a.standard_error))),
        ),
        ("gap", left(&|l| l.gap)),
        ("gap_se", left(&|l| l.gap_se)),
        ("gap_area", left(&|l| l.gap_area.area)),
        ("gap_area_se", left(&|l| l.gap_area.standard_error)),
        ("gap_null", left(&|l| l.gap_null.area)),
        ("gap_null_se", left(&|l| l.gap_null.standard_error)),
    ];
    Table {
        columns: columns
            .into_iter()
            .map(|(name, column)| (name.to_owned(), column))
            .collect(),
    }
}

/// The table as CSV; what was not measured is empty. No cell has a comma in it.
fn csv(table: &Table) -> String {
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut text = names.join(",") + "\n";
    let rows = table.columns.first().map_or(0, |(_, column)| column.len());
    for row in 0..rows {
        let cell = |(_, column): &(String, Column)| match column {
            Column::Text(values) => values[row].clone(),
            Column::I64(values) => values[row].to_string(),
            Column::F64(values) if values[row].is_nan() => String::new(),
            Column::F64(values) => values[row].to_string(),
        };
        let cells: Vec<String> = table.columns.iter().map(cell).collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

/// The page: usefulness against each measure of memory, and both against the share of units.
fn page(ablation: &Ablation) -> String {
    let measured = |of: Of| of(&ablation.original).is_finite();
    let memory: Vec<(&str, Of)> = MEMORY.into_iter().filter(|(_, of)| measured(*of)).collect();
    let mut curves = String::new();
    for (what, x) in &memory {
        for (name, y) in USE {
            let title = format!("{name} against {what} at the embedding");
            let axis = Axis::Values((*what).to_owned());
            let lines = lines(ablation, |arms| (mean(arms, *x), mean(arms, y)));
            curves += &line_chart(&title, &axis, &lines);
        }
    }
    let mut shares = String::new();
    let axis = Axis::Values("% of units at zero".to_owned());
    for (name, y) in memory.iter().copied().chain(USE) {
        // The units at zero are the same in all draws.
        let lines = lines(ablation, |arms| (f64::NAN, mean(arms, y)));
        let shares_of = by_share(ablation, lines);
        shares += &line_chart(&format!("{name} by share of units"), &axis, &shares_of);
    }
    let note = "Each line starts at the encoder as it is and goes on with larger shares of units at \
                zero. Further to the left less is remembered, further up more is left of use. Random \
                units are means over draws.";
    let body = format!(
        "<h1>Usefulness against memory left</h1>{}{}{}",
        section("Usefulness against memory", note, &curves),
        section("By share of units", "", &shares),
        section("Arms", &escape(&null(ablation)), &arms_table(ablation))
    );
    document("Usefulness against memory left", &body)
}

/// What areas are where nothing is remembered.
fn null(ablation: &Ablation) -> String {
    let Some(left) = ablation.original.left() else {
        return String::new();
    };
    let null = left.area_null.unwrap_or(left.gap_null);
    format!(
        "Memory is that at the embedding. Between two halves of the held-out points the area is {:.3} \
         (standard error {:.3}).",
        null.area, null.standard_error
    )
}

fn arms_table(ablation: &Ablation) -> String {
    let figures: Vec<(&str, Of)> = USE.into_iter().chain(MEMORY).collect();
    let mut header = vec!["encoder", "units at zero"];
    header.extend(figures.iter().map(|(name, _)| *name));
    let cells = |name: &str, units: usize, arms: &[&Arm]| {
        let mut cells = vec![name.to_owned(), units.to_string()];
        for (_, of) in &figures {
            let values: Vec<f64> = arms.iter().map(|arm| of(arm)).collect();
            let (mean, deviation) = moments(&values);
            cells.push(match (mean.is_nan(), arms.len()) {
                (true, _) => "–".to_owned(),
                (_, 1) => format!("{mean:.3}"),
                _ => format!("{mean:.3} ± {deviation:.3}"),
            });
        }
        cells
    };
    let mut rows = vec![cells("as it is", 0, &[&ablation.original])];
    for cut in &ablation.cuts {
        rows.push(cells(&cut.chosen.name, cut.units, &[&cut.chosen]));
        rows.extend(
            cut.matched
                .as_ref()
                .map(|arm| cells(&arm.name, cut.units, &[arm])),
        );
    }
    for random in &ablation.random {
        if let Some(first) = random.draws.first() {
            let name = format!("{} ({} draws)", first.name, random.draws.len());
            rows.push(cells(
                &name,
                random.units,
                &random.draws.iter().collect::<Vec<_>>(),
            ));
        }
    }
    table(&header, &rows)
}

fn mean(arms: &[&Arm], of: Of) -> f64 {
    let values: Vec<f64> = arms.iter().map(|arm| of(arm)).collect();
    moments(&values).0
}

/// A line for each score, and one for random units, from the encoder as it is to the largest share.
fn lines(ablation: &Ablation, at: impl Fn(&[&Arm]) -> (f64, f64)) -> Vec<Series> {
    let mut lines: Vec<Series> = Vec::new();
    let mut add = |label: String, dashed, point| {
        let place = lines.iter().position(|line| line.label == label);
        let place = place.unwrap_or_else(|| {
            lines.push(Series {
                label,
                points: vec![at(&[&ablation.original])],
                dashed,
            });
            lines.len() - 1
        });
        lines[place].points.push(point);
    };
    for cut in &ablation.cuts {
        let label = format!("{}, {}", cut.score, cut.end);
        if let Some(matched) = &cut.matched {
            add(format!("as active as {label}"), true, at(&[matched]));
        }
        add(label, false, at(&[&cut.chosen]));
    }
    // Of several sets of widths, as with shares of the whole network, the first of each share.
    let mut seen: Vec<f64> = Vec::new();
    for random in &ablation.random {
        if !seen.contains(&random.fraction) && !random.draws.is_empty() {
            seen.push(random.fraction);
            let draws: Vec<&Arm> = random.draws.iter().collect();
            add("random units".to_owned(), true, at(&draws));
        }
    }
    lines
}

/// The same lines over the share of units in percent.
fn by_share(ablation: &Ablation, mut lines: Vec<Series>) -> Vec<Series> {
    let mut shares: Vec<f64> = vec![0.0];
    for cut in &ablation.cuts {
        let share = 100.0 * cut.fraction;
        if !shares.contains(&share) {
            shares.push(share);
        }
    }
    for line in &mut lines {
        line.points
            .iter_mut()
            .zip(&shares)
            .for_each(|(point, share)| point.0 = *share);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::ablate::{Cut, RandomUnitArms};
    use super::super::rank::{UnitRank, Which};
    use super::*;
    use afterimage_memory::Area;

    fn arm(name: &str, knn: f64, area: f64) -> Arm {
        let at = |area| Area {
            area,
            standard_error: 0.01,
        };
        Arm {
            name: name.to_owned(),
            what: Vec::new(),
            knn,
            linear_probe: knn + 0.1,
            memory: vec![LayerMemory {
                layer: "embedding".to_owned(),
                calibrated: None,
                area: Some(at(area)),
                area_null: Some(at(0.5)),
                gap: 0.1,
                gap_se: 0.01,
                gap_area: at(0.6),
                gap_null: at(0.5),
            }],
        }
    }

    fn ablation() -> Ablation {
        let cut = |fraction, random| Cut {
            score: UnitRank::Unitmem,
            end: Which::Top,
            fraction,
            units: 3,
            chosen: arm("unitmem top", 0.4, 0.7),
            matched: None,
            random,
        };
        let random = |fraction| RandomUnitArms {
            fraction,
            units: 3,
            draws: vec![arm("random", 0.3, 0.8), arm("random", 0.5, 0.6)],
        };
        Ablation {
            units: 30,
            original: arm("as it is", 0.5, 0.9),
            cuts: vec![cut(0.1, 0), cut(0.2, 1)],
            random: vec![random(0.1), random(0.2)],
        }
    }

    #[test]
    fn lines_go_from_the_encoder_as_it_is_to_the_largest_share() {
        let at = |arms: &[&Arm]| (mean(arms, MEMORY[0].1), mean(arms, USE[0].1));
        let drawn = lines(&ablation(), at);
        assert_eq!(drawn.len(), 2);
        assert_eq!(drawn[0].points, [(0.9, 0.5), (0.7, 0.4), (0.7, 0.4)]);
        assert!(drawn[1].dashed && drawn[1].points.len() == 3);
        let shares = by_share(&ablation(), drawn);
        let places: Vec<f64> = shares[0].points.iter().map(|point| point.0).collect();
        assert_eq!(places, [0.0, 10.0, 20.0]);
    }

    #[test]
    fn what_was_not_measured_is_neither_drawn_nor_a_number() {
        let page = page(&ablation());
        assert!(
            page.contains("kNN accuracy against area of LayerMem"),
            "{page}"
        );
        assert!(!page.contains("against calibrated LayerMem") && !page.contains("NaN"));
        let table = rows(&ablation());
        let text = csv(&table);
        assert_eq!(text.lines().count(), 1 + 1 + 2 + 4);
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|line| line.contains("embedding,,,0.9")),
            "{text}"
        );
    }
}
