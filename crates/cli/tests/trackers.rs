//! Runs whose numbers are told to other tools: they change nothing, and hold what the run does.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use afterimage::track::read_scalars;
use afterimage_testkit::draw;
use run::kill::killed;
use run::{
    EPOCH, Place, TINY, afterimage, assert_same, call, checkpoints, files_under, finish,
    last_checkpoint, plugin, records, resume,
};
use rusqlite::Connection;

/// Points as run, step, tag and value.
type Points = Vec<(String, u64, String, String)>;

/// What Trackio's project `p` in `folder` holds.
fn told(folder: &Path) -> Points {
    let base = Connection::open(folder.join("p.db")).unwrap();
    let sql = "SELECT run_name, step, key, value FROM metrics, json_each(metrics.metrics)";
    let mut rows = base.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| {
        let (step, value): (i64, f64) = (row.get(1)?, row.get(3)?);
        let step = u64::try_from(step).expect("a step");
        Ok((row.get(0)?, step, row.get(2)?, format!("{value:?}")))
    });
    let mut all: Points = rows.unwrap().map(Result::unwrap).collect();
    all.sort();
    all
}

/// What `metrics.jsonl` of the run called `name` there holds.
fn measured(run: &Path, name: &str) -> Points {
    let lines = read_scalars(&run.join("metrics.jsonl")).unwrap();
    let mut all: Points = lines
        .into_iter()
        .map(|line| {
            (
                name.to_owned(),
                line.step,
                line.tag,
                format!("{:?}", line.value.0),
            )
        })
        .collect();
    all.sort();
    all
}

fn folders(place: &Place) -> String {
    for name in ["trackio", "text"] {
        fs::create_dir(place.path(name)).unwrap();
    }
    format!(
        "\n[[sinks]]\nkind = \"trackio\"\ndir = {:?}\nproject = \"p\"\n\
         \n[[sinks]]\nkind = \"prometheus\"\ndir = {:?}\nevery = 1\n",
        place.path("trackio"),
        place.path("text")
    )
}

#[test]
fn tools_change_no_byte_of_a_run_even_one_that_is_not_there() {
    let place = Place::new();
    let text = TINY.to_owned() + &plugin("watch");
    let bare = place.run("bare", &text, 0);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let mlflow = format!("\n[[sinks]]\nkind = \"mlflow\"\nurl = \"{url}\"\nexperiment = \"e\"\n");
    let config = place.write("told.toml", &(text + &folders(&place) + &mlflow));
    let run = place.path("told");
    let ended = finish(afterimage().arg("run").arg(&config).arg("--out").arg(&run))
        .expect(5, &["the sink `mlflow` cannot write", &url]);
    assert_eq!(
        ended.err.matches("cannot write").count(),
        1,
        "{}",
        ended.err
    );
    assert!(
        ended.out.contains("records are lost: the sink mlflow:"),
        "{}",
        ended.out
    );
    let without_config = |run: &Path| {
        let mut files = records(run);
        files.remove("config.toml");
        files
    };
    assert_same(&without_config(&bare), &without_config(&run), "records");
    let checkpoint = |run: &Path| {
        let mut files = files_under(&last_checkpoint(run));
        files.retain(|name, _| name != "config.toml" && name != "contents.json");
        files
    };
    assert_eq!(checkpoint(&bare).len(), 7);
    assert_same(&checkpoint(&bare), &checkpoint(&run), "the last checkpoint");
    assert_eq!(told(&place.path("trackio")), measured(&run, "tiny/told"));
}

#[test]
fn a_killed_run_is_told_as_a_straight_one() {
    let place = Place::new();
    let text = TINY.replace("epochs = 3", "epochs = 6") + &folders(&place);
    let straight = place.run("straight", &text, 0);
    let config = place.path("straight.toml");
    let mut hits = 0;
    for seed in 0..12 {
        let out = place.path(&format!("killed-{seed}"));
        let (step, delay) = (EPOCH * (1 + draw(seed, 4)), draw(seed + 100, 200));
        if killed(&config, &out, step, Duration::from_millis(delay)) {
            assert!(
                checkpoints(&out)
                    .last()
                    .is_some_and(|last| *last < 6 * EPOCH)
            );
            resume(&out).expect(0, &[]);
            let name = format!("tiny/killed-{seed}");
            let mut all = told(&place.path("trackio"));
            all.retain(|(run, ..)| *run == name);
            assert_eq!(all, measured(&out, &name));
            assert_eq!(all, measured(&straight, &name));
            hits += 1;
        }
        if hits == 2 {
            break;
        }
    }
    assert_eq!(hits, 2, "runs that were alive when they were to be killed");
    // The first, which never knew of the others.
    let mut all = told(&place.path("trackio"));
    all.retain(|(run, ..)| run == "tiny/straight");
    assert_eq!(all, measured(&straight, "tiny/straight"));
    // A file for each run.
    let texts = files_under(&place.path("text"));
    let whole = texts.values().filter(|text| {
        let text = String::from_utf8_lossy(text);
        text.contains("afterimage_running{") && text.contains("tag=\"eval/knn\"")
    });
    assert!(whole.count() >= 3, "{:?}", texts.keys());
}

#[test]
fn a_run_that_was_cut_off_behind_its_end_is_told_to_its_end() {
    let place = Place::new();
    let run = place.run("run", &(TINY.to_owned() + &folders(&place)), 0);
    let expected = measured(&run, "tiny/run");
    fs::remove_file(run.join("result.json")).unwrap();
    let base = Connection::open(place.path("trackio/p.db")).unwrap();
    let gone = base
        .execute("DELETE FROM metrics WHERE step > 20", [])
        .unwrap();
    assert!(gone > 0);
    drop(base);
    resume(&run).expect(0, &[]);
    assert_eq!(told(&place.path("trackio")), expected);
}

#[test]
fn trials_of_a_sweep_are_runs_of_their_own() {
    let place = Place::new();
    place.write("tiny.toml", &(TINY.to_owned() + &folders(&place)));
    let sweep = "name = \"t\"\nconfig = \"tiny.toml\"\nmetric = { name = \"eval/knn\" }\n\
                 set = { epochs = 2 }\n[grid]\n\"objective.temperature\" = [0.1, 0.5]\n";
    let file = place.write("sweep.toml", sweep);
    let out = place.path("sweep");
    finish(afterimage().arg("sweep").arg(&file).arg("--out").arg(&out)).expect(0, &[]);
    let mut expected = Points::new();
    for trial in ["temperature=0.1", "temperature=0.5"] {
        expected.extend(measured(
            &out.join("trials").join(trial),
            &format!("tiny/{trial}"),
        ));
    }
    let all = told(&place.path("trackio"));
    assert_eq!(all, expected);
    let names: BTreeSet<&String> = all.iter().map(|(run, ..)| run).collect();
    assert_eq!(names.len(), 2);
}

#[test]
fn mistakes_are_told_at_their_lines_before_a_run() {
    let place = Place::new();
    let sinks = "
[[sinks]]
kind = \"tracio\"
project = \"p\"
[[sinks]]
kind = \"mlflow\"
url = \"https://example.org\"
experiment = \"e\"
[[sinks]]
kind = \"mlflow\"
url = \"http://127.0.0.1:1\"
experiment = \"e\"
[[sinks]]
kind = \"mlflow\"
url = \"http://127.0.0.1:1/\"
experiment = \"e\"
name = \"another\"
[[sinks]]
kind = \"prometheus\"
dir = \"no/such/folder\"
every = 0
[[sinks]]
kind = \"trackio\"
project = \"a b\"
folder = \"x\"
";
    let config = place.write("config.toml", &(TINY.to_owned() + sinks));
    let before = TINY.lines().count();
    for command in ["check", "run"] {
        let ended = call([command, config.to_str().unwrap()]).expect(2, &[]);
        for (line, words) in [
            (3, "sinks[0].kind: "),
            (
                7,
                "sinks[1].url: \"https://example.org\": HTTPS is not built in",
            ),
            (
                16,
                "sinks[3].experiment: another `[[sinks]]` of kind \"mlflow\" tells \"e\" at http://127.0.0.1:1",
            ),
            (20, "sinks[4].dir: the folder no/such/folder is not there"),
            (21, "sinks[4].every: 0 is no number of seconds"),
            (24, "sinks[5].project: \"a b\" must be"),
            (25, "sinks[5].folder: unknown key"),
        ] {
            let told = format!("{}:{}: {words}", config.display(), before + line);
            assert!(ended.err.contains(&told), "no {told} in\n{}", ended.err);
        }
        assert_eq!(ended.err.lines().count(), 7, "{}", ended.err);
    }
    for port in ["99999", "0", "abc", "-1"] {
        let sink = format!(
            "\n[[sinks]]\nkind = \"mlflow\"\nurl = \"http://127.0.0.1:{port}\"\nexperiment = \"e\"\n"
        );
        let config = place.write("port.toml", &(TINY.to_owned() + &sink));
        call(["check", config.to_str().unwrap()]).expect(2, &["sinks[0].url: "]);
    }
}
