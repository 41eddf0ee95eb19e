//! The report of a small run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use afterimage_hooks::{Column, Measurement, Record, Table};
use afterimage_track::{Report, Sinks, TrackError};

fn write_run(run: &Path) {
    let mut sinks = Sinks::for_run(run, None, &[]);
    for step in [0, 10, 20] {
        let record = |tag: &str, value| {
            let epoch = (step / 10) as u32;
            Record {
                tag: tag.to_owned(),
                epoch,
                step,
                author: "test".to_owned(),
                value,
            }
        };
        let columns = vec![
            (
                "site".to_owned(),
                Column::Text(vec!["a<b".to_owned(), "c".to_owned()]),
            ),
            ("unitmem".to_owned(), Column::F64(vec![0.125, 0.875])),
        ];
        sinks.write_all(&[
            record("loss/train", Measurement::Scalar(5.0 - step as f64 / 10.0)),
            record("eval/knn", Measurement::Scalar(0.4321)),
            record("unitmem/mean/train/layer.<1>", Measurement::Scalar(0.5)),
            record("unitmem/mean/held_out/layer.<1>", Measurement::Scalar(0.25)),
            record("unitmem/mean/train/last", Measurement::Scalar(0.75)),
            record("unitmem/mean/held_out/last", Measurement::Scalar(0.25)),
            record(
                "unitmem/train/layer.<1>",
                Measurement::Histogram(vec![0.1, 0.2, 0.9]),
            ),
            record(
                "unitmem/owners/layer.<1>",
                Measurement::Image {
                    width: 2,
                    height: 2,
                    rgb: vec![9; 12],
                },
            ),
            record("unitmem/units", Measurement::Table(Table { columns })),
            record("odd/thing", Measurement::Scalar(f64::NAN)),
            record("overhead/unitmem", Measurement::Scalar(0.0625)),
        ]);
    }
    sinks.flush();
    assert_eq!(sinks.disabled(), []);
}

#[test]
fn the_page_shows_every_part_and_needs_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path());
    fs::write(dir.path().join("config.toml"), "name = \"<script>\"\n").unwrap();
    let result = serde_json::json!({
        "found": ["a < b (plugin `c`)"],
        "costs": [{ "plugin": "unitmem", "event": "EpochEnd", "calls": 3, "seconds": 1.25 }],
    });
    fs::write(dir.path().join("result.json"), result.to_string()).unwrap();
    fs::write(dir.path().join("manifest.json"), "{\"outcome\": \"done\"}").unwrap();
    let path = dir.path().join("report.html");
    Report::from_run(dir.path()).unwrap().write(&path).unwrap();
    let html = fs::read_to_string(&path).unwrap();
    for part in [
        "2 epochs, 20 steps",
        "<td>outcome</td><td>done</td>",
        "<a href=\"#what-was-found\">",
        "aria-label=\"loss\"",
        "knn",
        "layer.&lt;1&gt;",
        "data:image/png;base64,iVBOR",
        "<summary>earlier epochs</summary>",
        "2 of 2 rows",
        "<td class=\"number\">0.875</td></tr><tr>",
        // The numbers of the loss as a file.
        "download=\"loss.csv\"",
        "utf-8,epoch,train%0A0,5%0A1,4%0A2,3%0A\"",
        "<table class=\"sorts\" data-name=\"unitmem\">",
        "aria-label=\"mean UnitMem over epochs: held-out points\"",
        "overhead/unitmem",
        "<h2 id=\"what-was-found\">What was found</h2>",
        "<li>a &lt; b (plugin <code>c</code>)</li>",
        "<td>EpochEnd</td><td class=\"number\">3</td><td class=\"number\">1.250</td>",
        "infinite: 3<",
        "name = &quot;&lt;script&gt;&quot;",
    ] {
        assert!(html.contains(part), "`{part}` is missing");
    }
    assert_eq!(html.matches("<script").count(), 1, "the page's own alone");
    for foreign in [
        "http://",
        "https://",
        "<script ",
        "<script src",
        "<link",
        "@import",
        "url(",
        "layer.<1>",
        "NaN\"",
    ] {
        assert!(!html.contains(foreign), "`{foreign}` is on the page");
    }
}

#[test]
fn names_that_are_markup_are_shown_and_do_nothing() {
    const NAME: &str = "<img src=x onerror=1>\"'`<script>1</script>";
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("<b>");
    fs::create_dir(&run).unwrap();
    let mut sinks = Sinks::for_run(&run, None, &[]);
    for step in [0, 10] {
        let record = |tag: String, value| Record {
            tag,
            epoch: (step / 10) as u32,
            step,
            author: NAME.to_owned(),
            value,
        };
        let columns = vec![
            (NAME.to_owned(), Column::Text(vec![NAME.to_owned(); 2])),
            ("score".to_owned(), Column::F64(vec![0.25, 0.5])),
        ];
        let image = Measurement::Image {
            width: 1,
            height: 1,
            rgb: vec![9; 3],
        };
        // As classes are: below a tag of a plugin.
        let mut records = vec![
            record(format!("odd/{NAME}"), Measurement::Histogram(vec![0.5])),
            record(format!("odd/{NAME}"), Measurement::Table(Table { columns })),
            record(format!("odd/{NAME}"), image),
        ];
        let lines = ["classmem", "loss", "eval", "unitmem/mean/train", "time"];
        let more = ["layermem/mean/candidates", "alignment/gap", "other"];
        for below in lines.into_iter().chain(more) {
            for end in [NAME, "b"] {
                let tag = format!("{below}/{end}");
                records.push(record(tag, Measurement::Scalar(0.5)));
            }
        }
        sinks.write_all(&records);
    }
    sinks.flush();
    assert_eq!(sinks.disabled(), []);
    let cost = serde_json::json!({ "plugin": NAME, "event": NAME, "calls": 1, "seconds": 1.0 });
    let result = serde_json::json!({ "found": [NAME, format!("`{NAME}`")], "costs": [cost] });
    fs::write(run.join("result.json"), result.to_string()).unwrap();
    let manifest = serde_json::json!({ "outcome": NAME, "device": NAME });
    fs::write(run.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(run.join("config.toml"), format!("# {NAME}\n")).unwrap();
    let mut report = Report::from_run(&run).unwrap();
    report.lacks(vec![NAME.to_owned()]);
    let html = report.html();
    for tag in html.split("<img").skip(1) {
        assert!(tag.starts_with(" src=\"data:image/png;base64,"), "{tag}");
    }
    assert_eq!(html.matches("<img").count(), 2, "those of the record alone");
    assert_eq!(html.matches("<script").count(), 1, "the page's own alone");
    assert!(!html.contains("<b>"), "{html}");
    // A quote of the name in an attribute would end it.
    assert!(!html.contains("onerror=1>\""), "{html}");
    let shown = "&lt;img src=x onerror=1&gt;&quot;'`&lt;script&gt;1&lt;/script&gt;";
    assert!(html.matches(shown).count() > 30, "{html}");
}

#[test]
fn damage_is_named_and_the_rest_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path());
    fs::write(
        dir.path().join("tables/unitmem.units/epoch-0002.parquet"),
        b"PAR1",
    )
    .unwrap();
    fs::write(dir.path().join("manifest.json"), "{").unwrap();
    let html = Report::from_run(dir.path()).unwrap().html();
    assert!(
        html.contains("manifest.json: ") && html.contains("epoch-0002.parquet: "),
        "{html}"
    );
    assert!(html.contains("aria-label=\"loss\""));
}

#[test]
fn a_folder_without_a_run_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Report::from_run(dir.path()),
        Err(TrackError::NoRun { .. })
    ));
}
