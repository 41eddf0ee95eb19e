//! Seconds of a valuation of a table read from `train_x.csv` and `train_y.csv` of a folder, or of a
//! made one: `cargo bench -p afterimage-value -- FOLDER | ROWSxCOLUMNS [LEARNERS [RATIO [THREADS]]]`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::time::Instant;

use afterimage_value::{Cells, Column, Problem, Settings, Target, value};

fn numbers(path: &str) -> Vec<Vec<f32>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let source = arguments.first().cloned().unwrap_or("1000x10".to_owned());
    let number =
        |at: usize, default: f64| arguments.get(at).map_or(default, |a| a.parse().unwrap());
    let (x, y) = match source
        .split_once('x')
        .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
    {
        Some((rows, columns)) => made(rows, columns),
        None => (
            numbers(&format!("{source}/train_x.csv")),
            numbers(&format!("{source}/train_y.csv"))
                .iter()
                .map(|row| row[0] as u32)
                .collect(),
        ),
    };
    let columns = (0..x[0].len())
        .map(|j| Column {
            name: j.to_string(),
            cells: Cells::Numbers(x.iter().map(|row| row[j]).collect()),
        })
        .collect();
    let classes = y.iter().max().unwrap() + 1;
    let names = (0..classes).map(|c| c.to_string()).collect();
    let problem = Problem::new(columns, Target::Classes { codes: y, names }, None).unwrap();
    let settings = Settings {
        learners: number(1, 1000.0) as u32,
        ratio: number(2, 0.5),
        threads: Some(number(3, 1.0) as usize),
        ..Settings::default()
    };
    let start = Instant::now();
    let values = value(&problem, &settings, &|_| ()).unwrap();
    let fitted = start.elapsed();
    let cells = values.cells(0..problem.rows().min(2000));
    let done = start.elapsed();
    let mean = cells.value.iter().sum::<f64>() / cells.value.len() as f64;
    println!(
        "fit {:.3} s, cells {:.4} s, mean {mean:.5}",
        fitted.as_secs_f64(),
        (done - fitted).as_secs_f64()
    );
}

fn made(rows: usize, columns: usize) -> (Vec<Vec<f32>>, Vec<u32>) {
    let mut state = 1u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let x: Vec<Vec<f32>> = (0..rows)
        .map(|_| (0..columns).map(|_| uniform()).collect())
        .collect();
    let y = x
        .iter()
        .map(|row| u32::from(row[0] + row[1] * row[2] + 0.3 * uniform() > 0.9))
        .collect();
    (x, y)
}
