//! Columns of a result, some rows of them.

use std::collections::HashSet;

use crate::near::{NearDuplicates, NearRow};
use crate::pass::Block;
use crate::problem::Target;
use crate::table::ReadTable;
use crate::valuation::RowValue;
use crate::votes::Prediction;

/// One column of a result; NaN is missing.
pub(super) enum Data {
    Whole(Vec<i64>),
    Single(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<String>),
}

/// Some rows of a result with the names of its columns.
pub(super) struct Sheet {
    pub rows: usize,
    pub columns: Vec<(String, Data)>,
    taken: HashSet<String>,
}

impl Sheet {
    pub fn of_rows(
        table: &ReadTable,
        rows: &[RowValue],
        said: &[Prediction],
        near: &NearDuplicates,
    ) -> Self {
        let mut sheet = Self::keys(table, 0..rows.len());
        let labels = match table.problem.target() {
            Target::Classes { codes, names } => {
                let name = |&code: &u32| names[code as usize].clone();
                Data::Text(codes.iter().map(name).collect())
            }
            Target::Numbers(values) => Data::Double(values.clone()),
        };
        let double = |of: fn(&RowValue) -> f64| Data::Double(rows.iter().map(of).collect());
        let count = |of: fn(&RowValue) -> u32| {
            Data::Whole(rows.iter().map(|row| i64::from(of(row))).collect())
        };
        sheet.push("label", labels);
        sheet.push("data_oob", double(|row| row.data_oob.value));
        sheet.push("data_oob:count", count(|row| row.data_oob.count));
        sheet.push("data_oob:se", double(|row| row.data_oob.error));
        sheet.push("marginal", double(|row| row.marginal));
        let answer = |of: fn(&Prediction) -> f64| Data::Double(said.iter().map(of).collect());
        match table.problem.target() {
            Target::Classes { names, .. } => {
                let name = |class: Option<u32>| {
                    let name = class.and_then(|class| names.get(class as usize));
                    name.cloned().unwrap_or_default()
                };
                let predicted = said.iter().map(|said| name(said.class));
                let suggested = said
                    .iter()
                    .map(|said| name(said.class.filter(|_| said.suspect)));
                sheet.push("predicted", Data::Text(predicted.collect()));
                sheet.push("predicted:share", answer(|said| said.share));
                sheet.push("suggested", Data::Text(suggested.collect()));
                sheet.push("label:share", answer(|said| said.given));
            }
            Target::Numbers(_) => sheet.push("predicted", answer(|said| said.number)),
        }
        sheet.add_near(table.problem.ids(), near);
        sheet
    }

    /// The sets of near duplicates, and the nearest rows.
    fn add_near(&mut self, ids: Option<&[String]>, near: &NearDuplicates) {
        let each = || near.rows.iter();
        self.push(
            "duplicates",
            Data::Whole(each().map(|row| i64::from(row.set)).collect()),
        );
        let labels = (0..near.rows.len()).map(|row| near.labels(row) as i64);
        self.push("duplicates:labels", Data::Whole(labels.collect()));
        let nearest = match ids {
            Some(ids) => {
                let id = |row: &NearRow| row.nearest.map(|row| ids[row as usize].clone());
                Data::Text(each().map(|row| id(row).unwrap_or_default()).collect())
            }
            None => {
                let number = |row: &NearRow| row.nearest.map_or(0, |row| i64::from(row) + 1);
                Data::Whole(each().map(number).collect())
            }
        };
        self.push("nearest", nearest);
        let distances = each().map(|row| row.distance).collect();
        self.push("nearest:distance", Data::Double(distances));
    }

    pub fn of_cells(table: &ReadTable, block: &Block<'_>) -> Self {
        let mut sheet = Self::keys(table, block.rows.clone());
        let width = block.cells.columns;
        let names = || table.problem.columns().iter().map(|c| c.name.as_str());
        let single = |values: &[f64], at: usize| {
            let column = values.iter().skip(at).step_by(width);
            Data::Single(column.map(|&v| v as f32).collect())
        };
        for (at, name) in names().enumerate() {
            sheet.push(name, single(&block.cells.value, at));
        }
        for (at, name) in names().enumerate() {
            let column = block.cells.count.iter().skip(at).step_by(width);
            let counts = column.map(|&count| i64::from(count)).collect();
            sheet.push(&format!("{name}:count"), Data::Whole(counts));
        }
        for (at, name) in names().enumerate() {
            sheet.push(&format!("{name}:se"), single(&block.cells.error, at));
        }
        for (at, name) in names().enumerate() {
            sheet.push(
                &format!("{name}:contrast"),
                single(&block.cells.contrast, at),
            );
        }
        for (at, name) in names().enumerate() {
            sheet.push(&format!("{name}:z"), single(block.z, at));
        }
        sheet
    }

    /// The columns that say which rows these are.
    fn keys(table: &ReadTable, rows: std::ops::Range<usize>) -> Self {
        let mut sheet = Self {
            rows: rows.len(),
            columns: Vec::new(),
            taken: HashSet::new(),
        };
        sheet.push(
            "row",
            Data::Whole(rows.clone().map(|row| row as i64 + 1).collect()),
        );
        if let Some(ids) = table.problem.ids() {
            let name = table.id.as_deref().unwrap_or("id");
            sheet.push(name, Data::Text(ids[rows].to_vec()));
        }
        sheet
    }

    /// Adds a column; a name that is taken gets an underscore.
    fn push(&mut self, name: &str, data: Data) {
        let mut name = name.to_owned();
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        self.columns.push((name, data));
    }
}
