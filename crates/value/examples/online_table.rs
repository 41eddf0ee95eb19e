//! Online values of a table of numbers without header, whose classes are in a file of their own:
//!
//! ```text
//! cargo run --release -p afterimage-value --example online_table -- x.csv y.csv OUT [key=value]…
//! ```
//!
//! Keys: seed, heads, hidden, ratio, rate, soft, epochs, warm_up, batch. Writes `rows.csv` (value,
//! count, standard error, clean prior) and `cells.csv` (a line a row) to OUT, and prints the
//! reliability and the seconds.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use afterimage_value::{
    Cells, Column, OnlinePasses, OnlineSettings, Problem, Target, clean_prior, value_online,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, labels, out, keys @ ..] = &arguments[..] else {
        return Err("give a table, a file of labels and a folder".into());
    };
    let (settings, passes) = settings(keys)?;
    let problem = problem(table, labels)?;
    let start = Instant::now();
    let valuer = value_online(&problem, settings, passes)?;
    let seconds = start.elapsed().as_secs_f64();
    let tally = valuer.tally();
    let values: Vec<f64> = (0..tally.len()).map(|row| tally.row(row).value).collect();
    let clean = clean_prior(&values);
    let mut rows = "value,count,error,clean\n".to_owned();
    let mut cells = String::new();
    for (row, clean) in clean.iter().enumerate() {
        let of = tally.row(row);
        writeln!(rows, "{},{},{},{clean}", of.value, of.count, of.error)?;
        let line = (0..tally.cells()).map(|cell| tally.cell(row, cell).value.to_string());
        writeln!(cells, "{}", line.collect::<Vec<_>>().join(","))?;
    }
    fs::create_dir_all(out)?;
    fs::write(Path::new(out).join("rows.csv"), rows)?;
    fs::write(Path::new(out).join("cells.csv"), cells)?;
    let (halves, full) = tally
        .reliability()
        .map_or((f64::NAN, f64::NAN), |r| (r.halves, r.full));
    let bytes = tally.bytes() as f64 / (tally.len() * tally.cells()) as f64;
    println!("seconds {seconds:.3} halves {halves:.3} full {full:.3} bytes_a_cell {bytes:.2}");
    Ok(())
}

fn settings(keys: &[String]) -> Result<(OnlineSettings, OnlinePasses), Box<dyn Error>> {
    let (mut settings, mut passes) = (OnlineSettings::default(), OnlinePasses::default());
    settings.watched = usize::MAX;
    for key in keys {
        let (name, value) = key.split_once('=').ok_or("keys are key=value")?;
        match name {
            "seed" => settings.seed = value.parse()?,
            "heads" => settings.heads = value.parse()?,
            "hidden" => settings.hidden = value.parse()?,
            "ratio" => settings.ratio = value.parse()?,
            "rate" => settings.rate = value.parse()?,
            "soft" => settings.soft = value.parse()?,
            "epochs" => passes.epochs = value.parse()?,
            "warm_up" => passes.warm_up = value.parse()?,
            "batch" => passes.batch = value.parse()?,
            _ => return Err(format!("no key {name}").into()),
        }
    }
    Ok((settings, passes))
}

fn problem(table: &str, labels: &str) -> Result<Problem, Box<dyn Error>> {
    let mut columns: Vec<Vec<f32>> = Vec::new();
    for line in fs::read_to_string(table)?.lines() {
        for (at, cell) in line.split(',').enumerate() {
            if at == columns.len() {
                columns.push(Vec::new());
            }
            columns[at].push(cell.trim().parse()?);
        }
    }
    let columns = columns.into_iter().enumerate().map(|(at, numbers)| Column {
        name: at.to_string(),
        cells: Cells::Numbers(numbers),
    });
    let mut codes = Vec::new();
    for line in fs::read_to_string(labels)?.lines() {
        codes.push(line.trim().parse::<f64>()? as u32);
    }
    let classes = codes.iter().max().map_or(0, |most| most + 1);
    let names = (0..classes).map(|class| class.to_string()).collect();
    let target = Target::Classes { codes, names };
    Ok(Problem::new(columns.collect(), target, None)?)
}
