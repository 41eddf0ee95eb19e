//! Seconds of the parts of a valuation, of a table in a file or of a made one:
//! `cargo bench -p afterimage-value -- FILE:LABEL | ROWSxCOLUMNS [LEARNERS [RATIO [THREADS [BINS]]]]`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use afterimage_value::{
    Cells, Column, LabelSource, Problem, ReadOptions, Settings, Target, memory_bound, read_table,
    readable_bytes, value,
};

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let source = arguments.first().map_or("1000x10", String::as_str);
    let number =
        |at: usize, default: f64| arguments.get(at).map_or(default, |a| a.parse().unwrap());
    let start = Instant::now();
    let problem = match source.split_once(':') {
        Some((file, label)) => read(file, label),
        None => {
            let (rows, columns) = source.split_once('x').unwrap();
            made(rows.parse().unwrap(), columns.parse().unwrap())
        }
    };
    let read = start.elapsed();
    let settings = Settings {
        learners: number(1, 1000.0) as u32,
        ratio: number(2, 0.5),
        threads: Some(number(3, 1.0) as usize),
        bins: number(4, 65_536.0) as usize,
        ..Settings::default()
    };
    println!(
        "table {:.3} s; at most {}",
        read.as_secs_f64(),
        readable_bytes(memory_bound(&problem, &settings))
    );
    let start = Instant::now();
    let values = value(&problem, &settings, &|_| ()).unwrap();
    let fitted = start.elapsed();
    let rows = problem.rows().min(20_000);
    let cells = values.cells(0..rows);
    let done = start.elapsed();
    let present: Vec<f64> = cells.value.into_iter().filter(|v| !v.is_nan()).collect();
    println!(
        "learners {:.3} s, cells of {rows} rows {:.4} s, mean {:.5}",
        fitted.as_secs_f64(),
        (done - fitted).as_secs_f64(),
        present.iter().sum::<f64>() / present.len() as f64
    );
}

fn read(file: &str, label: &str) -> Problem {
    let options = ReadOptions {
        header: true,
        header_told: true,
        label: LabelSource::Column(label.to_owned()),
        id: None,
        ignore: Vec::new(),
        categorical: Vec::new(),
        missing: Vec::new(),
        keep_missing_words: false,
        task: None,
    };
    read_table(Path::new(file), &options).unwrap().problem
}

fn made(rows: usize, columns: usize) -> Problem {
    let mut state = 1u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let columns: Vec<Column> = (0..columns)
        .map(|j| Column {
            name: j.to_string(),
            cells: Cells::Numbers((0..rows).map(|_| uniform()).collect()),
        })
        .collect();
    let cell = |column: usize, row: usize| match &columns[column % columns.len()].cells {
        Cells::Numbers(values) => values[row],
        Cells::Levels { .. } => 0.0,
    };
    let mut label =
        |row| u32::from(cell(0, row) + cell(1, row) * cell(2, row) + 0.3 * uniform() > 0.9);
    let codes = (0..rows).map(&mut label).collect();
    let names = vec!["0".to_owned(), "1".to_owned()];
    Problem::new(columns, Target::Classes { codes, names }, None).unwrap()
}
