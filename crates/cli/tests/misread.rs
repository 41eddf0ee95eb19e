//! Tables that could be misread in silence: they are read as they are meant, or a question is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;
mod valued;

use std::fs;
use std::path::Path;

use run::Place;
use selected::anew as select;
use valued::{lines, table, value, write};

fn kept(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    folder.join(name).display().to_string()
}

/// What `value` writes under a name.
fn valued(place: &Place, name: &str, arguments: &[&str]) -> String {
    let out = place.path(name).display().to_string();
    value(&[arguments, &["--out", &out]].concat()).expect(0, &[]);
    fs::read_to_string(place.path(name).join("rows.csv")).unwrap()
}

#[test]
fn a_row_is_not_taken_for_names() {
    let place = Place::new();
    // The first row has a cell twice, which no names have.
    let named = table().replacen("0,0,red,no\n", "", 1);
    let rows = named.split_once('\n').unwrap().1.to_owned();
    let years = named.replacen("a,b,kind", "2019,2020,kind", 1);
    let named = write(&place, "named.csv", &named);
    let bare = write(&place, "bare.csv", &rows);
    let doubt = [
        "the first line, `1,17,green,no`",
        "--header or --no-header",
        "bare.csv",
    ];
    value(&[&bare, "--label", "4"]).expect(2, &doubt);
    let wanted = valued(&place, "wanted", &[&named, "--label", "y"]);
    let read = valued(&place, "read", &[&bare, "--label", "4", "--no-header"]);
    assert_eq!(read, wanted);
    value(&[&bare, "--label", "4", "--header"]).expect(0, &["38 rows"]);
    // Years are names.
    let years = write(&place, "years.csv", &years);
    assert_eq!(valued(&place, "years", &[&years, "--label", "y"]), wanted);
    value(&[&named, "--label", "y", "--header", "--no-header"]).expect(2, &["cannot be used with"]);
}

#[test]
fn a_name_over_labels_is_none_of_them() {
    let place = Place::new();
    let cells: Vec<String> = table()
        .lines()
        .map(|line| line.rsplit_once(',').unwrap().0.to_owned())
        .collect();
    let cells = write(&place, "x.csv", &(cells.join("\n") + "\n"));
    let labels: Vec<String> = table()
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once(',').unwrap().1.to_owned())
        .collect();
    let file = |name: &str, lines: &[String]| write(&place, name, &(lines.join("\n") + "\n"));
    let head = ["label".to_owned()];
    let whole = file("whole.csv", &labels);
    let wanted = valued(&place, "wanted", &[&cells, "--label-file", &whole]);
    let named = file("named.csv", &[&head, &labels[..]].concat());
    let read = valued(&place, "named", &[&cells, "--label-file", &named]);
    assert_eq!(read, wanted);
    // As many lines as rows, of which the first is no label.
    let short = file("short.csv", &[&head, &labels[1..]].concat());
    let told = ["short.csv", "`label`, names the labels", "39 follow for 40"];
    value(&[&cells, "--label-file", &short]).expect(2, &told);
    let numbers: Vec<String> = (0..39).map(|row| (row % 2).to_string()).collect();
    let numbers = file(
        "numbers.csv",
        &[&["sort".to_owned()], &numbers[..]].concat(),
    );
    let told = ["`sort`, names the labels"];
    value(&[&cells, "--label-file", &numbers]).expect(2, &told);
    let pairs = format!("id,label\n{}", "1,no\n2,yes\n".repeat(20));
    let pairs = write(&place, "pairs.csv", &pairs);
    value(&[&cells, "--label-file", &pairs]).expect(2, &["one column; this has 2"]);

    let e = |count: usize| -> String {
        (0..count)
            .map(|i| format!("{}.5,{}.25\n", i * i % 7, i * 5 % 11))
            .collect()
    };
    let e = write(&place, "e.csv", &e(40));
    let chosen = |labels: &str, told: &[&str]| {
        select(&place, &[&e, "--labels", labels, "--count", "6"]).expect(0, told);
        fs::read_to_string(place.path("out/coreset.csv")).unwrap()
    };
    let wanted = chosen(&whole, &[]);
    assert_eq!(chosen(&named, &["`label`, names the labels"]), wanted);
    let told = [
        "short.csv",
        "`label`, names the labels",
        "39 follow for 40",
        "--no-header=labels",
    ];
    select(&place, &[&e, "--labels", &short, "--count", "6"]).expect(2, &told);
    // One label too many is no name where it stands again.
    let long = file("long.csv", &[&labels[..], &labels[..1]].concat());
    let told = ["41 entries and embeddings has 40"];
    select(&place, &[&e, "--labels", &long, "--count", "6"]).expect(2, &told);
    // A code over codes is asked for.
    let codes = (0..40).map(|row| format!("0{}", row % 2 + 1));
    let codes: Vec<String> = std::iter::once("07".to_owned()).chain(codes).collect();
    let codes = file("codes.csv", &codes);
    let asked = ["the first line, `07`, may name columns or be a sample"];
    select(&place, &[&e, "--labels", &codes, "--count", "6"]).expect(2, &asked);
}

#[test]
fn labels_that_are_texts_are_read_from_npy() {
    let place = Place::new();
    let cells: String = (0..40)
        .map(|i| format!("{}.5,{}.25\n", i * i % 7, i * 5 % 11))
        .collect();
    let cells = write(&place, "x.csv", &cells);
    let texts: String = (0..40)
        .map(|i| if (i * 7 % 20) < 10 { "no\n" } else { "yés\n" })
        .collect();
    let texts = write(&place, "texts.csv", &texts);
    let words = kept("words.npy");
    let of = |name: &str, labels: &str| {
        valued(
            &place,
            name,
            &[&cells, "--no-header", "--label-file", labels],
        )
    };
    assert_eq!(of("npy", &words), of("csv", &texts));
    let chosen = |labels: &str| {
        select(&place, &[&cells, "--labels", labels, "--count", "6"]).expect(0, &[]);
        fs::read_to_string(place.path("out/coreset.csv")).unwrap()
    };
    assert_eq!(chosen(&words), chosen(&texts));
    // What numpy writes for a missing text is no class, unless it is said to be one.
    let missing: Vec<&str> = (0..40).map(|i| ["nan", "yes", "no"][i % 3]).collect();
    let missing = npy(&place, "missing.npy", &missing);
    let call = [&cells, "--no-header", "--label-file", &missing];
    value(&call).expect(2, &["missing"]);
    value(&[&call[..], &["--keep-missing-words"]].concat()).expect(0, &["3 classes"]);
    let call = [&cells, "--labels", &missing, "--count", "4"];
    let told = ["sample 0", "`nan` stands for a missing one"];
    select(&place, &call).expect(2, &told);
    select(&place, &[&call[..], &["--keep-missing-words"]].concat()).expect(0, &[]);
}

/// An array of ASCII texts of up to four letters.
fn npy(place: &Place, name: &str, texts: &[&str]) -> String {
    let shape = texts.len();
    let header = format!("{{'descr': '|S4', 'fortran_order': False, 'shape': ({shape},)}}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    for text in texts {
        let mut cell = [0; 4];
        cell[..text.len()].copy_from_slice(text.as_bytes());
        bytes.extend(cell);
    }
    fs::write(place.path(name), bytes).unwrap();
    place.path(name).display().to_string()
}

#[test]
fn a_frame_has_the_same_values_from_csv_and_parquet() {
    let place = Place::new();
    let of = |name: &str, file: &str| {
        let file = kept(file);
        valued(
            &place,
            name,
            &[&file, "--label", "y", "--keep-missing-words"],
        )
    };
    assert_eq!(of("parquet", "typed.parquet"), of("csv", "typed.csv"));
    // With moments of 96 bits.
    assert_eq!(of("old", "old.parquet"), of("csv again", "typed.csv"));
    let read = |name: &str| fs::read_to_string(place.path(name).join("cells.csv")).unwrap();
    assert_eq!(read("parquet"), read("csv"));
}

#[test]
fn the_repaired_copy_of_a_parquet_file_is_the_same_table() {
    let place = Place::new();
    let parquet = kept("typed.parquet");
    let fixed = |name: &str, further: &[&str]| {
        let call = [&[&parquet, "--label", "y", "--fix"], further].concat();
        let rows = valued(&place, name, &call);
        (rows, place.path(name).join("fixed.csv"))
    };
    // Nothing is as far out as that.
    let (rows, copy) = fixed("same", &["--fix-z", "1e9"]);
    let text = fs::read_to_string(&copy).unwrap();
    let head = "\"big;name\",\"exact\",\"flag\",\"moment\",\"word\",\"label\",\"y\"\n";
    assert!(text.starts_with(head), "{text}");
    let cells: Vec<Vec<String>> = lines(&copy);
    let wanted: Vec<Vec<String>> = lines(Path::new(&kept("typed.csv")));
    assert_eq!(cells.len(), wanted.len());
    for (row, (cells, wanted)) in cells.iter().zip(&wanted).enumerate().skip(1) {
        for (cell, wanted) in cells.iter().zip(wanted) {
            let same = match (cell.parse::<f64>(), wanted.parse::<f64>()) {
                (Ok(cell), Ok(wanted)) => cell == wanted,
                _ => cell == wanted || format!("{cell} 00:00:00") == *wanted,
            };
            assert!(same, "row {row}: {cell} for {wanted}");
        }
    }
    let copy = copy.display().to_string();
    let again = ["--label", "y", "--keep-missing-words"];
    let again = valued(&place, "again", &[&[copy.as_str()], &again[..]].concat());
    assert_eq!(again, rows);
    // Only the cells of the log are others.
    let (_, copy) = fixed("lowest", &["--fix-lowest", "0.05"]);
    let log = lines(&place.path("lowest/fixes.csv"));
    assert_eq!(log.len(), 1 + 12);
    let now = fs::read_to_string(&copy).unwrap();
    let lines = now.lines().zip(text.lines());
    let changed = lines.filter(|(now, before)| now != before).count();
    assert!(changed > 0 && changed <= 12, "{changed}");
}

#[test]
fn the_repaired_copy_has_the_delimiter_of_its_table() {
    let place = Place::new();
    let text = table().replacen("a,b,kind,y", "\"a;1;2;3;4\",b,kind,y", 1);
    let file = write(&place, "t.csv", &text);
    let rows = valued(
        &place,
        "one",
        &[&file, "--label", "y", "--fix", "--fix-z", "1e9"],
    );
    let copy = place.path("one/fixed.csv").display().to_string();
    assert_eq!(valued(&place, "two", &[&copy, "--label", "y"]), rows);
}

#[test]
fn ids_with_gaps_are_left_out_and_those_that_repeat_are_told() {
    let place = Place::new();
    let with = |id: &dyn Fn(usize) -> String| {
        let text = table();
        let mut lines = text.lines();
        let mut with = format!("userId,{}\n", lines.next().unwrap());
        for (row, line) in lines.enumerate() {
            with += &format!("{},{line}\n", id(row));
        }
        with
    };
    let gap = write(
        &place,
        "gap.csv",
        &with(&|row| match row {
            7 => String::new(),
            row => (row * 37 % 41 + 100).to_string(),
        }),
    );
    value(&[&gap, "--label", "y"]).expect(0, &["`userId` is left out: it numbers the rows"]);
    let twice = write(
        &place,
        "twice.csv",
        &with(&|row| (row.max(1) + 100).to_string()),
    );
    let told = [
        "`userId` is taken as a feature, as 39 of its 40 numbers differ",
        "--ignore userId",
    ];
    value(&[&twice, "--label", "y"]).expect(0, &told);
    // An index whose rows were shuffled.
    let shuffled = with(&|row| (row * 7 % 40).to_string()).replacen("userId", "sample", 1);
    let shuffled = write(&place, "shuffled.csv", &shuffled);
    value(&[&shuffled, "--label", "y"]).expect(
        0,
        &["`sample` is taken as a feature and looks like an index"],
    );
    // Codes.
    let codes = with(&|row| format!("{:05}", row * 911 % 30_000)).replacen("userId", "place", 1);
    let codes = write(&place, "codes.csv", &codes);
    value(&[&codes, "--label", "y"]).expect(0, &["numbers such as `00000`", "--categorical place"]);
}

#[test]
fn words_among_numbers_lose_no_column() {
    let place = Place::new();
    let column = |cell: &dyn Fn(usize) -> String| {
        let mut text = "f,b,y\n".to_owned();
        for row in 0..60 {
            let label = if row * 7 % 10 < 5 { "no" } else { "yes" };
            text += &format!("{},{},{label}\n", cell(row), row * 17 % 23);
        }
        write(&place, "t.csv", &text)
    };
    let number = |row: usize| format!("{}.{}", row * 29 % 61, row % 10);
    let among = |word: &'static str| {
        column(&move |row| {
            if row % 5 == 4 {
                word.to_owned()
            } else {
                number(row)
            }
        })
    };
    for word in ["NaT", "#N/A N/A", "-nan", "1.#IND"] {
        value(&[&among(word), "--label", "y"]).expect(0, &["2 columns", "12 cells are missing"]);
    }
    // In the first row, too.
    let first = column(&|row| match row % 5 {
        0 => "none".to_owned(),
        _ => number(row),
    });
    let told = ["line 2", "`none` is no number, but 48 of the column's 60"];
    value(&[&first, "--label", "y"]).expect(2, &told);
    let told = [
        "line 6",
        "`none` is no number, but 48 of the column's 60",
        "--missing none",
    ];
    value(&[&among("none"), "--label", "y"]).expect(2, &told);
    for (cell, told) in [
        ("1 200", "spaces between thousands"),
        ("1\u{a0}200", "spaces between thousands"),
        ("1'200'000", "apostrophes between thousands"),
        ("1.200.000", "dots between thousands"),
        ("$5.20", "an amount of money"),
        ("\u{2212}5", "minus is no hyphen"),
    ] {
        let file = column(&|_| format!("\"{cell}\""));
        value(&[&file, "--label", "y"]).expect(2, &["line 2", "column `f`", told]);
    }
    // Names of which one could be a number are names.
    for (first, others) in [
        ("192.168.100.101", "192.168.100.102"),
        ("612 345 678", "unknown"),
        ("1,250", "Paris"),
    ] {
        let file = column(&|row| match row % 3 {
            0 => format!("\"{first}\""),
            1 => others.to_owned(),
            _ => "other".to_owned(),
        });
        value(&[&file, "--label", "y"]).expect(0, &["2 columns"]);
    }
    for (cell, told) in [
        ("03.2020", "dates or times such as `1.03.2020`"),
        ("30:00", "`1:30:00`"),
    ] {
        let separator = if cell.contains('.') { "." } else { ":" };
        let file = column(&|row| format!("{}{separator}{cell}", row % 9 + 1));
        value(&[&file, "--label", "y"]).expect(0, &["column `f` has dates or times", told]);
    }
    // Space of every kind around a cell is no part of it.
    let plain = valued(
        &place,
        "plain",
        &[&column(&|row| number(row)), "--label", "y"],
    );
    let spaced = column(&|row| format!("\u{a0}{} ", number(row)));
    assert_eq!(valued(&place, "spaced", &[&spaced, "--label", "y"]), plain);
}

#[test]
fn labels_in_other_spellings_are_told() {
    let place = Place::new();
    let labelled = |label: &dyn Fn(usize) -> String| {
        let mut text = "a;b;y\n".to_owned();
        for row in 0..60 {
            text += &format!("{};{};{}\n", row * 29 % 61, row * 17 % 23, label(row));
        }
        write(&place, "t.csv", &text)
    };
    let alike = labelled(&|row| ["True", "true", "False"][row % 3].to_owned());
    let told = ["`True` and `true` differ in their spelling alone"];
    value(&[&alike, "--label", "y"]).expect(0, &told);
    let alike = labelled(&|row| ["1", "1.0", "2"][row % 3].to_owned());
    value(&[&alike, "--label", "y"]).expect(0, &["`1` and `1.0` differ in their spelling"]);
    let commas = labelled(&|row| format!("{row},5"));
    let told = [
        "line 2",
        "the label `0,5` looks like a number with a decimal comma",
    ];
    value(&[&commas, "--label", "y"]).expect(2, &told);
    let told = [
        "line 2",
        "`0,5` looks like",
        "--task regression needs plain numbers",
    ];
    value(&[&commas, "--label", "y", "--task", "regression"]).expect(2, &told);
    let stray = labelled(&|row| {
        if row == 8 {
            "x".to_owned()
        } else {
            format!("{row}.5")
        }
    });
    let told = [
        "line 10",
        "the label `x` is no number",
        "--task classification",
    ];
    value(&[&stray, "--label", "y"]).expect(2, &told);
}

#[test]
fn cells_of_embeddings_and_their_labels_have_their_lines() {
    let place = Place::new();
    let with = |cell: &str| {
        let mut text = "e0,e1\n".to_owned();
        for i in 0..12 {
            let second = if i == 4 {
                cell.to_owned()
            } else {
                format!("{}.25", i * 5 % 11)
            };
            text += &format!("{}.5,{second}\n\n", i * i % 7);
        }
        write(&place, "e.csv", &text)
    };
    let told = [
        "hold values that are not finite: 4",
        "the first is NaN in column `e1`, line 10",
    ];
    select(&place, &[&with("nan"), "--count", "3"]).expect(2, &told);
    let told = [":10: column 2: `NA` stands for a missing cell"];
    select(&place, &[&with("NA"), "--count", "3"]).expect(2, &told);
    let file = with("1");
    let labels = write(&place, "l.csv", &"NA\nEU\n".repeat(6));
    let call = [&file, "--labels", &labels, "--count", "4"];
    select(&place, &call).expect(2, &["l.csv:1", "--keep-missing-words"]);
    let ended = select(&place, &[&call[..], &["--keep-missing-words"]].concat()).expect(0, &[]);
    assert!(
        ended.out.contains("classes: EU 2 of 6, NA 2 of 6"),
        "{}",
        ended.out
    );
    let twice = write(
        &place,
        "twice.csv",
        "a,a,b\n1.5,2,3\n2,3.5,5\n3,9,1.5\n4,1,1\n",
    );
    let told = ["columns 1 and 2 are called `a`", "by its number"];
    select(&place, &[&twice, "--ignore", "a", "--count", "2"]).expect(2, &told);
    select(&place, &[&file, "--fraction", "-0.1"]).expect(2, &["fraction: -0.1 is not in (0, 1]"]);
}

#[test]
fn a_place_behind_a_link_takes_the_result() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    let (real, link) = (place.path("real"), place.path("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let out = link.display().to_string();
    value(&[&file, "--label", "y", "--out", &out]).expect(0, &[]);
    assert!(link.is_symlink() && real.join("rows.csv").exists());
    let below = format!("{file}/out");
    for out in [&file, &below] {
        let told = ["t.csv: this is no folder; choose another with --out"];
        value(&[&file, "--label", "y", "--out", out]).expect(2, &told);
    }
}
