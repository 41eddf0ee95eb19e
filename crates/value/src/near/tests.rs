#![allow(clippy::unwrap_used)]

use super::*;
use crate::draw::Purpose;
use crate::problem::{Cells, Column, Target};

/// Normal numbers `[rows, columns]`, column by column.
fn normal(rows: usize, columns: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut draws = Purpose::Planted.draws(seed, 1);
    (0..columns)
        .map(|_| (0..rows).map(|_| draws.normal() as f32).collect())
        .collect()
}

fn problem(columns: Vec<Cells>) -> Problem {
    let rows = columns[0].len();
    let columns = columns.into_iter().enumerate().map(|(at, cells)| Column {
        name: format!("x{at}"),
        cells,
    });
    let target = Target::Classes {
        codes: (0..rows as u32).map(|row| row % 2).collect(),
        names: vec!["a".to_owned(), "b".to_owned()],
    };
    Problem::new(columns.collect(), target, None).unwrap()
}

fn numbers(columns: Vec<Vec<f32>>) -> Problem {
    problem(columns.into_iter().map(Cells::Numbers).collect())
}

#[test]
fn tables_without_duplicates_have_next_to_none_in_any_dimension() {
    for columns in [1, 2, 5, 20, 100] {
        let tables = 12;
        let mut told = 0;
        for table in 0..tables {
            let seed = 100 * table + columns as u64;
            let found = find(&numbers(normal(800, columns, seed)), 0, None);
            told += found.sets.iter().map(|set| set.rows.len()).sum::<usize>();
            let dimension = found.reaches[0].dimension;
            assert!(
                dimension < 1.2 * columns as f64 && dimension > 0.3 * columns as f64,
                "{dimension}"
            );
            assert_eq!((found.different, found.compared), (800, 800));
            // Each row's nearest, found here by looking at all.
            assert!(
                found
                    .rows
                    .iter()
                    .all(|row| row.nearest.is_some() && row.distance > 0.0)
            );
        }
        // A twentieth of a row a table by construction: six in twelve tables have a chance below 1 in 100.
        assert!(told < 6, "{told} rows in {tables} tables of {columns}");
    }
}

#[test]
fn copies_with_noise_are_joined_with_equal_rows_and_the_worst_set_is_first() {
    let mut columns = normal(700, 12, 3);
    let noise = normal(700, 12, 4);
    for (column, noise) in columns.iter_mut().zip(&noise) {
        // 10, 20 and 30 are copied, 30 as it is; 40 to 60 are copies of one row.
        column[110] = column[10] + 0.03 * noise[10];
        column[220] = column[20] + 0.01 * noise[20];
        column[330] = column[30];
        for row in 40..61 {
            column[row] = column[40] + 0.02 * noise[row];
        }
    }
    // Another scale changes nothing.
    columns[3]
        .iter_mut()
        .for_each(|value| *value = 1e6 + 1e5 * *value);
    columns.push(vec![7.0; 700]);
    let problem = numbers(columns);
    let found = find(&problem, 0, None);
    assert!(!found.common_scale);
    let rows: Vec<Vec<u32>> = found.sets.iter().map(|set| set.rows.clone()).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert_eq!(rows[0], (40..61).collect::<Vec<u32>>());
    assert_eq!(rows[1..], [vec![30, 330], vec![20, 220], vec![10, 110]]);
    assert_eq!((found.sets[0].labels, found.sets[1].labels), (2, 1));
    assert_eq!((found.sets[1].distance, found.contrary()), (0.0, 1));
    assert_eq!(
        (found.rows[30].nearest, found.rows[110].nearest),
        (Some(330), Some(10))
    );
    assert_eq!((found.rows[30].set, found.rows[0].set), (2, 0));
    // In parts the same, as far as cuts leave pairs together; nothing else.
    let parts = find(&problem, 0, Some(300));
    assert!(
        parts.compared > 150
            && parts.compared <= 300
            && parts.sets.len() <= 4
            && parts.sets.len() >= 2
    );
    for set in &parts.sets {
        assert!(
            rows.iter()
                .any(|whole| set.rows.iter().all(|row| whole.contains(row))),
            "{set:?}"
        );
    }
}

#[test]
fn neither_the_order_of_the_rows_nor_threads_change_what_is_found() {
    let mut columns = normal(400, 6, 8);
    columns
        .iter_mut()
        .for_each(|column| column[399] = column[0] + 0.002);
    let turned = columns
        .iter()
        .map(|column| column.iter().rev().copied().collect());
    let (straight, turned) = (numbers(columns.clone()), numbers(turned.collect()));
    let (one, two) = (find(&straight, 0, None), find(&turned, 0, None));
    assert_eq!((one.sets.len(), &one.reaches), (1, &two.reaches));
    for (a, b) in one.rows.iter().zip(two.rows.iter().rev()) {
        assert_eq!(a.distance, b.distance);
        assert_eq!(a.nearest.map(|row| 399 - row), b.nearest);
    }
    let settings = |threads| Settings {
        threads: Some(threads),
        ..Settings::default()
    };
    assert_eq!(near_duplicates(&straight, &settings(1)).unwrap(), one);
    assert_eq!(near_duplicates(&straight, &settings(3)).unwrap(), one);
}

#[test]
fn categories_and_gaps_count_as_the_differences_of_standardised_numbers_do() {
    let rows = 300;
    let mut columns = normal(rows, 5, 5);
    for column in &mut columns {
        (column[201], column[202], column[203]) =
            (column[200] + 0.002, column[200] + 0.002, column[200]);
    }
    columns[0][203] = f32::NAN;
    let mut codes: Vec<u32> = (0..rows as u32).map(|row| row * 7 % 3).collect();
    (codes[200], codes[201], codes[202], codes[203]) = (0, 0, 1, 0);
    let names = ["p", "q", "r"].map(str::to_owned).to_vec();
    let mut cells: Vec<Cells> = columns.into_iter().map(Cells::Numbers).collect();
    cells.push(Cells::Levels { codes, names });
    let problem = problem(cells);
    let found = find(&problem, 0, None);
    assert_eq!(found.sets.len(), 1, "{:?}", found.sets);
    assert_eq!(found.sets[0].rows, [200, 201]);
    let points = Points::new(&problem);
    let point = |row: u32| {
        let mut all = 0..points.len() as u32;
        all.find(|point| points.rows(*point as usize).contains(&row))
            .unwrap()
    };
    let between = |one, other| points.distance(point(one), point(other));
    let other = between(200, 202);
    assert!((other - 3.0f64.sqrt()).abs() < 0.05, "{other}");
    assert!(between(200, 203) > 2.0f64.sqrt() - 0.05);
}

#[test]
fn among_few_rows_only_equal_ones_are_told() {
    let mut columns = normal(50, 4, 6);
    columns.iter_mut().for_each(|column| {
        column[9] = column[3];
        column[20] = column[11] + 1e-6;
    });
    let found = find(&numbers(columns), 0, None);
    assert!(found.reaches.is_empty());
    assert_eq!(found.sets.len(), 1);
    assert_eq!(
        (found.rows[9].nearest, found.rows[20].nearest),
        (Some(3), None)
    );
}

#[test]
fn pixels_keep_their_common_scale() {
    // One column of eight hardly ever moves; a step there is no great distance.
    let mut columns = normal(300, 8, 9);
    for (row, value) in columns[7].iter_mut().enumerate() {
        *value = if row == 5 { 0.05 } else { 0.0 };
    }
    columns
        .iter_mut()
        .take(7)
        .for_each(|column| column[5] = column[80]);
    let found = find(&numbers(columns), 0, None);
    assert!(found.common_scale);
    assert_eq!(found.sets[0].rows, [5, 80]);
}

#[test]
fn a_few_loud_columns_are_no_common_scale() {
    let mut columns = normal(300, 9, 12);
    for column in columns.iter_mut().take(4) {
        column.iter_mut().for_each(|value| *value *= 1e4);
    }
    let found = find(&numbers(columns), 0, None);
    assert!(!found.common_scale);
}

#[test]
fn pairs_in_two_tight_groups_far_apart_are_seen() {
    // A sentinel in half of the rows leaves two groups, each far tighter than they are apart.
    let rows = 1000;
    let mut columns = normal(rows, 20, 11);
    for column in &mut columns {
        for (row, value) in column.iter_mut().enumerate() {
            let side = if row % 2 == 0 { 1.0 } else { -1.0 };
            *value = side + 1e-4 * *value;
        }
        for row in 0..20 {
            column[500 + row] = column[row];
        }
    }
    for row in 0..20 {
        columns[row][500 + row] += 1e-6;
    }
    let problem = numbers(columns);
    let found = find(&problem, 0, None);
    let sets: Vec<&[u32]> = found.sets.iter().map(|set| set.rows.as_slice()).collect();
    assert_eq!(sets.len(), 20, "{sets:?}");
    let points = Points::new(&problem);
    let (all, one) = ((0..points.len() as u32).collect::<Vec<_>>(), 7u32);
    for row in 0..20u32 {
        assert!(sets.contains(&[row, 500 + row].as_slice()), "{row}");
        assert_eq!(found.rows[row as usize].nearest, Some(500 + row));
    }
    let far = |other: &u32| (points.distance(one, *other) as f32, *other);
    let nearest = all.iter().filter(|other| **other != one).map(far);
    let nearest = nearest.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    let row = points.rows(one as usize)[0];
    assert_eq!(found.rows[row as usize].distance, f64::from(nearest.0));
}
