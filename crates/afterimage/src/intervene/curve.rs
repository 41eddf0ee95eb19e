//! Tables of an ablation, and its curve of usefulness against memory left.

use afterimage_files::Partial;
use afterimage_hooks::{Column, Table};
use afterimage_memory::LayerMemory;
use afterimage_numeric::mean_and_deviation;
use afterimage_report::{Axis, Chart, Page, Section, Series, Table as HtmlTable};
use afterimage_track::files::write_beside;
use afterimage_track::{TextTable, write_csv, write_table};

use super::ablate::{Ablation, RandomUnitArms};
use super::arms::{Arm, null_line};
use crate::error::RunError;
use crate::whole::publish;

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
/// directory `folder`, which appears whole.
pub(super) fn write(ablation: &Ablation, folder: Partial) -> Result<(), RunError> {
    publish(folder, |folder| {
        let arms = rows(ablation);
        write_table(&folder.join("arms.parquet"), &arms)?;
        write_csv(&folder.join("arms.csv"), &arms)?;
        let page = page(ablation);
        Ok(write_beside(&folder.join("report.html"), page.as_bytes())?)
    })
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
    /// The choices whose random control it is.
    controls: String,
}

/// The choices that the random units at `place` stand beside, as in `unitmem:top 0.1; magnitude:low 0.1`.
fn controlled(ablation: &Ablation, place: usize) -> String {
    let cuts = ablation.cuts.iter().filter(|cut| cut.random == place);
    let names: Vec<String> = cuts
        .map(|cut| format!("{}:{} {}", cut.score, cut.end, cut.fraction))
        .collect();
    names.join("; ")
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
        controls: String::new(),
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
    for (place, random) in ablation.random.iter().enumerate() {
        let draws = random.draws.iter().enumerate();
        rows.extend(draws.map(|(at, arm)| Row {
            controls: controlled(ablation, place),
            ..plain(arm, "random", random.fraction, random.units, at + 1)
        }));
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
        ("controls", text(&|row| row.controls.clone())),
    ];
    Table::of(columns)
}

/// The page: usefulness against each measure of memory, and both against the share of units.
fn page(ablation: &Ablation) -> String {
    let measured = |of: Of| of(&ablation.original).is_finite();
    let memory: Vec<(&str, Of)> = MEMORY.into_iter().filter(|(_, of)| measured(*of)).collect();
    let curves = memory.iter().flat_map(|&(what, x)| {
        USE.map(|(name, y)| {
            let title = format!("{name} against {what} at the embedding");
            let lines = lines(ablation, |_, arms| (mean(arms, x), mean(arms, y)));
            Chart::lines(title, Axis::Values(what.to_owned()), lines)
        })
    });
    let shares = memory.iter().copied().chain(USE).map(|(name, y)| {
        let lines = lines(ablation, |share, arms| (100.0 * share, mean(arms, y)));
        let axis = Axis::Values("% of units at zero".to_owned());
        Chart::lines(format!("{name} by share of units"), axis, lines)
    });
    let note = "Each line starts at the encoder as it is and goes on with larger shares of units at \
                zero. Further to the left less is remembered, further up more is left of use. Random \
                units are means over draws.";
    Page::new("Usefulness against memory left")
        .live()
        .section(
            Section::new("Usefulness against memory")
                .note(note)
                .figures(curves),
        )
        .section(Section::new("By share of units").figures(shares))
        .section(
            Section::new("Arms")
                .note(null(ablation))
                .content(arms_table(ablation)),
        )
        .html()
}

/// What areas are where nothing is remembered.
fn null(ablation: &Ablation) -> String {
    let line = null_line(&ablation.original);
    line.map_or_else(String::new, |line| {
        format!("Memory is that at the embedding; {line}. Behind ± stands the standard error.")
    })
}

fn arms_table(ablation: &Ablation) -> HtmlTable {
    let figures: Vec<(&str, Of)> = USE.into_iter().chain(MEMORY).collect();
    let mut header = vec!["encoder", "units at zero"];
    header.extend(figures.iter().map(|(name, _)| *name));
    let cells = |name: &str, units: usize, arms: &[&Arm]| {
        let mut cells = vec![name.to_owned(), units.to_string()];
        for (_, of) in &figures {
            let values: Vec<f64> = arms.iter().map(|arm| of(arm)).collect();
            let (mean, deviation) = mean_and_deviation(&values);
            let deviation = Some(deviation).filter(|_| arms.len() > 1);
            cells.push(TextTable::with_error(mean, deviation, 3));
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
    for (place, random) in ablation.random.iter().enumerate() {
        if let Some(first) = random.draws.first() {
            let mut name = format!("{} ({} draws)", first.name, random.draws.len());
            // Scores whose widths differ have random units of their own at one share.
            let same = |other: &&RandomUnitArms| other.fraction == random.fraction;
            if ablation.random.iter().filter(same).count() > 1 {
                name += &format!(", beside {}", controlled(ablation, place));
            }
            rows.push(cells(
                &name,
                random.units,
                &random.draws.iter().collect::<Vec<_>>(),
            ));
        }
    }
    HtmlTable::new(&header).rows(rows)
}

fn mean(arms: &[&Arm], of: Of) -> f64 {
    let values: Vec<f64> = arms.iter().map(|arm| of(arm)).collect();
    afterimage_numeric::mean(&values)
}

/// A line for each score, and one for random units, from the encoder as it is to the largest share;
/// `at` gives the point of the arms of a share.
fn lines(ablation: &Ablation, at: impl Fn(f64, &[&Arm]) -> (f64, f64)) -> Vec<Series> {
    let mut lines: Vec<Series> = Vec::new();
    let mut add = |label: String, dashed, point| {
        let place = lines.iter().position(|line| line.label == label);
        let place = place.unwrap_or_else(|| {
            let start = vec![at(0.0, &[&ablation.original])];
            lines.push(Series::new(label, start).dashed(dashed));
            lines.len() - 1
        });
        lines[place].points.push(point);
    };
    // Of several sets of widths, as with shares of the whole network, the first of each share.
    let mut last = None;
    for cut in &ablation.cuts {
        let share = cut.fraction;
        let label = format!("{}, {}", cut.score, cut.end);
        if let Some(matched) = &cut.matched {
            add(format!("as active as {label}"), true, at(share, &[matched]));
        }
        add(label, false, at(share, &[&cut.chosen]));
        let random = ablation.random.get(cut.random);
        let draws: Vec<&Arm> = random.iter().flat_map(|random| &random.draws).collect();
        // Shares of so few units that they are the same widths have the same draws.
        if last != Some(share) && !draws.is_empty() {
            add("random units".to_owned(), true, at(share, &draws));
        }
        last = Some(share);
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::ablate::Cut;
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
            held_out: 100,
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
        let at = |_: f64, arms: &[&Arm]| (mean(arms, MEMORY[0].1), mean(arms, USE[0].1));
        let drawn = lines(&ablation(), at);
        assert_eq!(drawn.len(), 2);
        assert_eq!(drawn[0].points, [(0.9, 0.5), (0.7, 0.4), (0.7, 0.4)]);
        assert!(drawn[1].dashed && drawn[1].points.len() == 3);
    }

    #[test]
    fn every_arm_stands_at_its_own_share() {
        let shares = |ablation: &Ablation| -> Vec<Vec<f64>> {
            let drawn = lines(ablation, |share, _| (share, 0.0));
            let places = |line: &Series| line.points.iter().map(|point| point.0).collect();
            drawn.iter().map(places).collect()
        };
        assert_eq!(shares(&ablation()), [[0.0, 0.1, 0.2], [0.0, 0.1, 0.2]]);
        // Two scores whose widths differ: at the first share they have random units each, at the second
        // the first of them has those of the share before.
        let mut wide = ablation();
        let first = wide.cuts[0].clone();
        let cut = |score, fraction, random| Cut {
            score,
            fraction,
            random,
            ..first.clone()
        };
        wide.cuts = vec![
            cut(UnitRank::Unitmem, 0.1, 0),
            cut(UnitRank::Magnitude, 0.1, 1),
            cut(UnitRank::Unitmem, 0.3, 0),
            cut(UnitRank::Magnitude, 0.3, 1),
        ];
        let all = shares(&wide);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|line| line == &[0.0, 0.1, 0.3]), "{all:?}");
    }

    #[test]
    fn random_rows_name_the_choices_that_they_stand_beside() {
        let controls = |ablation: &Ablation| -> Vec<String> {
            let table = rows(ablation);
            let (name, column) = table.columns.last().unwrap();
            assert_eq!(*name, "controls");
            match column {
                Column::Text(names) => names.clone(),
                _ => panic!("names are texts"),
            }
        };
        let (first, second) = ("unitmem:top 0.1", "unitmem:top 0.2");
        assert_eq!(
            controls(&ablation()),
            ["", "", "", first, first, second, second]
        );
        // Two scores of one width share their controls; a third of other widths has its own.
        let mut network = ablation();
        let cut = |score, random| Cut {
            score,
            random,
            ..network.cuts[0].clone()
        };
        network.cuts = vec![
            cut(UnitRank::Unitmem, 0),
            cut(UnitRank::Magnitude, 0),
            cut(UnitRank::Taylor, 1),
        ];
        network.random[1].fraction = 0.1;
        let both = "unitmem:top 0.1; magnitude:top 0.1";
        let names = controls(&network);
        assert_eq!(names[4..], [both, both, "taylor:top 0.1", "taylor:top 0.1"]);
        let page = page(&network);
        for name in [both, "taylor:top 0.1"] {
            let row = format!("random (2 draws), beside {name}");
            assert!(page.contains(&row), "{page}");
        }
    }

    #[test]
    fn both_nulls_stand_on_the_page() {
        let page = page(&ablation());
        let null = "as it is: area 0.500 ± 0.010, area of gap 0.500 ± 0.010";
        assert!(page.contains(null), "{page}");
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
        let rows = table.columns.iter().map(|(_, column)| column.len());
        assert!(rows.into_iter().all(|rows| rows == 1 + 2 + 4));
        let calibrated = table.column("calibrated");
        assert!(
            matches!(calibrated, Some(Column::F64(values)) if values.iter().all(|v| v.is_nan()))
        );
    }
}
