//! What `afterimage select` tells of a choice: ids, classes, and what random choices cost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;

use std::fs;

use afterimage::track::read_table;
use run::{Place, afterimage, finish};
use selected::{LINE, csv, npy, select};

/// Two groups on a line with names and classes.
const NAMED: &str = "name,x,kind\nash,0,1\n\"b,irch\",1,1\ncedar,9,2\n=1+1,10,2\nelm,11,2\n";

#[test]
fn ids_of_a_column_stand_in_the_results_and_are_no_feature() {
    let place = Place::new();
    let plain = place.write("line.csv", LINE);
    let input = place.write("named.csv", NAMED);
    select(&place, &plain, &["--count", "2"]).expect(0, &[]);
    let wanted = csv(&place);
    fs::remove_dir_all(place.path("out")).unwrap();
    for id in ["name", "1"] {
        let arguments = ["--count", "2", "--id", id, "--ignore", "kind"];
        let ended = select(&place, &input, &arguments).expect(0, &[]);
        assert_eq!(csv(&place), "index,weight,id\n2,3,cedar\n0,2,ash\n");
        assert!(wanted.starts_with("index,weight\n2,3\n0,2\n"));
        assert!(
            ended.out.contains("First of the chosen samples"),
            "{}",
            ended.out
        );
        assert!(ended.out.contains("cedar"), "{}", ended.out);
        let table = read_table(&place.path("out").join("coreset.parquet")).unwrap();
        let ids = ["cedar", "ash"].map(str::to_owned).to_vec();
        let column = ("id".to_owned(), afterimage::hooks::Column::Text(ids));
        assert_eq!(table.columns[2], column);
        // The table of the results names its samples again.
        let again = place.path("out").join("coreset.parquet");
        // So does a folder of tables by epoch, of which the last is read.
        let tables = place.path("tables");
        fs::create_dir_all(&tables).unwrap();
        fs::copy(&again, tables.join("epoch-0002.parquet")).unwrap();
        for input in [again, tables] {
            let out = place.path("again");
            let mut command = afterimage();
            command
                .arg("select")
                .arg(input)
                .args(["--count", "1", "--id", "id", "--ignore", "index"]);
            let ended = finish(command.arg("--out").arg(&out)).expect(0, &[]);
            assert!(ended.out.contains("First of the chosen samples"));
            fs::remove_dir_all(out).unwrap();
        }
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    let all = ["--count", "5", "--id", "name", "--ignore", "kind"];
    select(&place, &input, &all).expect(0, &["1 of the ids in coreset.csv", "first `=1+1`"]);
    assert!(csv(&place).contains(",\"b,irch\"\n"), "{}", csv(&place));
    fs::remove_dir_all(place.path("out")).unwrap();
    let array = npy(&place, "x.npy", "(2, 1)", &[0.0, 1.0]);
    let twice = place.write("twice.csv", "name,x\na,0\nb,1\na,2\n");
    let gap = place.write("gap.csv", "name,x\na,0\n,1\nc,2\n");
    for (input, arguments, told) in [
        (
            &input,
            &["--id", "id"][..],
            "no column `id` (--id); its columns are name, x, kind",
        ),
        (
            &input,
            &["--id", "name", "--ignore", "name"],
            "--id names a column that --ignore names",
        ),
        (&array, &["--id", "1"], "an npy array holds numbers alone"),
        (&twice, &["--id", "name"], "the id `a` is there twice"),
        (&gap, &["--id", "name"], "the id of sample 1 is missing"),
    ] {
        select(&place, input, &[&["--count", "1"], arguments].concat()).expect(2, &[told]);
    }
}

#[test]
fn classes_are_counted_and_the_cost_stands_beside_that_of_random_choices() {
    let place = Place::new();
    let rows: String = (0..60)
        .map(|at| {
            format!(
                "{},{}\n",
                (at * 37 % 61) as f64 / 4.0,
                (at * 11 % 53) as f64 / 3.0
            )
        })
        .collect();
    let input = place.write("rows.csv", &format!("a,b\n{rows}"));
    let labels: String = (0..60)
        .map(|at| if at % 3 == 0 { "cat\n" } else { "dog\n" })
        .collect();
    let labels = place.write("labels.csv", &format!("label\n{labels}"));
    let labels = labels.to_str().unwrap();
    let arguments = ["--count", "9", "--labels", labels];
    let ended = select(&place, &input, &arguments).expect(0, &[]);
    for words in [
        "classes: cat 3 of 20, dog 6 of 40\n",
        "as many at random: ",
        "5 draws",
    ] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    let summary = || -> serde_json::Value {
        let text = fs::read_to_string(place.path("out").join("summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let told = summary();
    assert_eq!(told["by_class"]["dog"]["chosen"], 6);
    let random = told["k_medoids_cost_at_random"].clone();
    assert_eq!(random["draws"], 5);
    let cost = told["k_medoids_cost"].as_f64().unwrap();
    assert!(random["mean"].as_f64().unwrap() > cost && random["sd"].as_f64().unwrap() > 0.0);
    fs::remove_dir_all(place.path("out")).unwrap();
    // What is random itself has the cost of its kind, and no control.
    let ended = select(
        &place,
        &input,
        &[&arguments[..], &["--strategy", "random"]].concat(),
    );
    let ended = ended.expect(0, &[]);
    assert!(!ended.out.contains("at random:"), "{}", ended.out);
    assert!(summary()["k_medoids_cost_at_random"].is_null());
    let drawn = summary()["k_medoids_cost"].as_f64().unwrap();
    let (mean, sd) = (
        random["mean"].as_f64().unwrap(),
        random["sd"].as_f64().unwrap(),
    );
    assert!(
        (drawn - mean).abs() < 6.0 * sd,
        "{drawn} beside {mean} ± {sd}"
    );
}

#[test]
fn strategies_of_a_network_are_refused_on_bare_embeddings() {
    let place = Place::new();
    let input = place.write("line.csv", LINE);
    for strategy in ["el2n", "grand", "grad-match"] {
        let arguments = ["--count", "2", "--strategy", strategy];
        select(&place, &input, &arguments).expect(2, &[strategy, "--rows gradients"]);
        let told = [&arguments[..], &["--rows", "gradients"]].concat();
        select(&place, &input, &told).expect(0, &[]);
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    for strategy in ["forgetting", "glister"] {
        let arguments = ["--count", "2", "--strategy", strategy];
        select(&place, &input, &arguments)
            .expect(2, &["a network in training", "`afterimage::coreset`"]);
    }
    select(&place, &input, &["--count", "2", "--strategy", "facility"])
        .expect(2, &["write one of facility-location"]);
}
