//! How long each way to hold distances takes, on one ground set of iid normal points.
//!
//!     cargo bench -p afterimage-coreset --bench storage -- [POINTS] [COLUMNS] [FRACTION] [THREADS] [MEMORY]

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use afterimage_coreset::{
    Budget, Evidence, Matrix, Points, Selection, Settings, Storage, peak_memory,
};

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let get = |index: usize, default: &str| {
        arguments
            .get(index)
            .map_or(default.to_owned(), Clone::clone)
    };
    let rows: usize = get(0, "5000").parse().unwrap();
    let columns: usize = get(1, "128").parse().unwrap();
    let budget = Budget::Fraction(get(2, "0.1").parse().unwrap());
    let threads = get(3, "1").parse().unwrap();
    let memory = get(4, "2GiB").parse().unwrap();
    let mut state = 1u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() as f32 - 6.0;
    let values = (0..rows * columns).map(|_| normal()).collect();
    let points = Points::Rows(Matrix::new("points", rows, columns, values).unwrap());
    println!("{rows} points of {columns} numbers, {budget:?}, {threads} threads");
    println!("storage       seconds  k-medoids cost  peak memory");
    for storage in [
        Storage::Dense,
        Storage::Half,
        Storage::MatrixFree,
        Storage::Sparse,
    ] {
        let settings = Settings {
            threads,
            memory,
            storage: Some(storage),
            ..Settings::new(budget)
        };
        let start = Instant::now();
        match Selection::plan(Evidence::of(&points), settings).and_then(Selection::run) {
            Ok(coreset) => println!(
                "{:12}  {:7.3}  {:14.3}  {}",
                storage.name(),
                start.elapsed().as_secs_f64(),
                coreset.cost,
                peak_memory().map_or(String::new(), |bytes| bytes.to_string()),
            ),
            Err(error) => println!("{:12}  {error}", storage.name()),
        }
    }
}
