//! What came out of an insertion.

use std::fmt;

use afterimage_memory::Area;
use afterimage_track::TextTable;
use serde::Serialize;

/// One unit before and while it is trained on the points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InsertedUnit {
    /// Why this unit: `highest`, `random` or `least active`.
    pub choice: &'static str,
    /// Its number.
    pub unit: usize,
    /// What was measured, one after each number of steps.
    pub course: Vec<UnitAt>,
}

/// One unit at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnitAt {
    /// Steps on the points.
    pub steps: u64,
    /// UnitMem over the other points and the inserted ones; nothing where it has no meaning.
    pub unitmem: Option<f64>,
    /// Whether an inserted point is the one that the unit answers to most.
    pub owned: bool,
    /// Mean activation over the inserted points.
    pub inserted: f64,
    /// Mean activation over the others.
    pub others: f64,
    /// How well nearness of its views at the embedding tells an inserted point from a held-out one
    /// that was not inserted.
    pub inserted_area: Area,
    /// The same for the training points.
    pub others_area: Area,
}

/// What came out of an insertion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Insertion {
    /// The site of the units.
    pub site: String,
    /// The held-out points.
    pub points: Vec<u32>,
    /// The units.
    pub units: Vec<InsertedUnit>,
}

impl fmt::Display for Insertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = match self.points.len() {
            1 => "1 point is".to_owned(),
            points => format!("{points} points are"),
        };
        let title = format!("{}: UnitMem while {points} inserted", self.site);
        let columns = [
            "unit",
            "steps",
            "UnitMem",
            "inserted",
            "others",
            "owner",
            "area, inserted",
            "area, others",
        ];
        let area = |area: &Area| {
            let error = Some(area.standard_error).filter(|error| !error.is_nan());
            TextTable::with_error(area.area, error, 3)
        };
        let mut table = TextTable::new(&title, &columns);
        for unit in &self.units {
            for at in &unit.course {
                table.row([
                    format!("{} ({})", unit.unit, unit.choice),
                    at.steps.to_string(),
                    TextTable::number(at.unitmem.unwrap_or(f64::NAN), 4),
                    TextTable::number(at.inserted, 4),
                    TextTable::number(at.others, 4),
                    if at.owned { "inserted" } else { "another" }.to_owned(),
                    area(&at.inserted_area),
                    area(&at.others_area),
                ]);
            }
        }
        writeln!(
            f,
            "{table}area: how well nearness of its views at the embedding tells such a point from \
             held-out points that were not inserted; 0.5: not at all"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_point_is_one() {
        let title = |points: &[u32]| {
            let insertion = Insertion {
                site: "encoder.act".to_owned(),
                points: points.to_vec(),
                units: Vec::new(),
            };
            insertion.to_string()
        };
        assert!(title(&[3]).contains("UnitMem while 1 point is inserted"));
        assert!(title(&[3, 4]).contains("UnitMem while 2 points are inserted"));
    }
}
