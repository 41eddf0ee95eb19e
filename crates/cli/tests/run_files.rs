//! The files of a run are neither lost nor trusted.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use run::kill::{start, wait};
use run::{
    EPOCH, Place, STEPS, TINY, afterimage, assert_same, call, checkpoints, ends, finish,
    last_checkpoint, plugin, resume,
};

/// A run that failed in step 25 with a checkpoint of it, and can be resumed.
fn stopped(place: &Place) -> PathBuf {
    let chaos = "\n[[plugins]]\nkind = \"chaos\"\nstep = 25\nintervenes = true\n";
    let run = place.run("stopped", &(TINY.to_owned() + chaos), 1);
    assert_eq!(checkpoints(&run), [2 * EPOCH, 25]);
    run
}

fn picture(file: &str) -> String {
    let line = serde_json::json!({
        "tag": "x", "epoch": 99, "step": 999_999, "author": "a", "file": file,
        "width": 1, "height": 1,
    });
    format!("{line}\n")
}

fn report(run: &Path) -> run::Ended {
    finish(afterimage().arg("report").arg(run))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn append(path: &Path, more: &str) {
    let before = fs::read(path).unwrap_or_default();
    fs::write(path, [&before[..], more.as_bytes()].concat()).unwrap();
}

#[test]
fn a_list_of_pictures_names_no_file_elsewhere() {
    let place = Place::new();
    let run = stopped(&place);
    let victim = place.write("victim.png", "SECRET-CONTENT");
    let index = run.join("images/index.jsonl");
    let before = fs::read(&index).unwrap_or_default();
    fs::create_dir_all(run.join("images")).unwrap();
    symlink(&victim, run.join("images/link.png")).unwrap();
    symlink("/dev/zero", run.join("images/zero.png")).unwrap();
    for file in [
        "../../victim.png",
        victim.to_str().unwrap(),
        "link.png",
        "zero.png",
        "../config.toml",
    ] {
        append(&index, &picture(file));
        resume(&run).expect(1, &["index.jsonl:", file]);
        assert_eq!(text(&victim), "SECRET-CONTENT", "{file}");
        assert_eq!(checkpoints(&run).last(), Some(&25), "nothing was trained");
        report(&run).expect(1, &["index.jsonl:", file]);
        assert!(!text(&run.join("report.html")).contains("U0VDUkVULUNPTlRFTl"));
        fs::write(&index, &before).unwrap();
    }
    report(&run).expect(0, &[]);
    resume(&run).expect(0, &[]);
}

#[test]
fn a_pipe_in_the_place_of_a_file_stops_no_command() {
    let place = Place::new();
    let run = stopped(&place);
    let pipe = |path: &Path| {
        let _ = fs::remove_file(path);
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    let timings = run.join("timings.jsonl");
    pipe(&timings);
    report(&run).expect(1, &["timings.jsonl", "no plain file"]);
    let last = last_checkpoint(&run);
    pipe(&last.join("loop.bin"));
    let probe = place.path("probe");
    call([
        "probe",
        last.to_str().unwrap(),
        "--out",
        probe.to_str().unwrap(),
    ])
    .expect(1, &["loop.bin", "no plain file"]);
    fs::remove_file(&timings).unwrap();
    // The checkpoint before it serves; its step fails again.
    resume(&run).expect(1, &["loop.bin", "set aside", "failed at"]);
}

#[test]
fn a_run_at_work_is_left_to_its_process() {
    let place = Place::new();
    let straight = place.run("straight", &long(), 0);
    let (config, out) = (place.path("straight.toml"), place.path("run"));
    let mut child = start(&config, &out);
    assert!(wait(&mut child, || checkpoints(&out).last().is_some()));
    resume(&out).expect(1, &[out.to_str().unwrap(), "another process is at work"]);
    let (config, folder) = (config.to_str().unwrap(), out.to_str().unwrap());
    for more in [&[][..], &["--resume"]] {
        let arguments = [&["run", config, "--out", folder], more].concat();
        call(arguments).expect(1, &[folder, "another process is at work"]);
    }
    report(&out).expect(0, &[]);
    assert!(child.wait().unwrap().success());
    assert_same(&ends(&straight), &ends(&out), "a run that others asked for");
}

/// Twelve epochs: long enough for other commands to come in between.
fn long() -> String {
    TINY.replace("epochs = 3", "epochs = 12") + &plugin("unitmem")
}

#[test]
fn a_start_that_was_cut_off_is_started_again() {
    let place = Place::new();
    let config = place.write("tiny.toml", TINY);
    for more in [&[][..], &["--resume"]] {
        let out = place.path(&format!("run-{}", more.len()));
        fs::create_dir(&out).unwrap();
        fs::write(out.join(".config.toml.tmp"), "nam").unwrap();
        fs::write(out.join("lock"), "1\n").unwrap();
        resume(&out).expect(1, &["cut off", "afterimage run"]);
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        finish(command.args(more)).expect(0, &[]);
        assert_eq!(checkpoints(&out).last(), Some(&STEPS));
        assert!(!out.join(".config.toml.tmp").exists());
    }
}

#[test]
fn what_was_cut_off_behind_the_last_checkpoint_is_written() {
    let place = Place::new();
    let straight = place.run("run", TINY, 0);
    let expected = ends(&straight);
    let manifest = text(&straight.join("manifest.json"));
    let kept = checkpoints(&straight);
    let samples = fs::read(straight.join("samples.parquet")).unwrap();
    for by_run in [false, true] {
        for file in ["report.html", "result.json", "samples.parquet"] {
            fs::remove_file(straight.join(file)).unwrap();
        }
        let running = manifest.replace("\"completed\"", "\"running\"");
        fs::write(straight.join("manifest.json"), running).unwrap();
        let folder = straight.join("checkpoints");
        fs::create_dir(folder.join("step-00000001")).unwrap();
        fs::write(folder.join("step-00000001/loop.bin"), "half").unwrap();
        fs::create_dir(folder.join(".step-00000002.partial")).unwrap();
        if by_run {
            let (config, out) = (place.path("run.toml"), straight.to_str().unwrap());
            call(["run", config.to_str().unwrap(), "--out", out, "--resume"])
                .expect(0, &["complete"]);
        } else {
            resume(&straight).expect(0, &[]);
        }
        assert_same(&expected, &ends(&straight), "cut off behind its end");
        assert_eq!(text(&straight.join("manifest.json")), manifest);
        assert_eq!(checkpoints(&straight), kept);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), kept.len());
        assert!(text(&straight.join("result.json")).contains("\"exit_code\":0"));
        assert!(straight.join("report.html").is_file());
        assert_eq!(fs::read(straight.join("samples.parquet")).unwrap(), samples);
        resume(&straight).expect(1, &["this run is complete; there is nothing to resume"]);
    }
}

#[test]
fn a_config_that_was_changed_in_a_checkpoint_is_not_used() {
    let place = Place::new();
    let text = TINY.to_owned() + "\n[checkpoints]\nkeep_last = 1\n";
    let run = place.run("run", &text, 0);
    for step in checkpoints(&run) {
        let config = run.join(format!("checkpoints/step-{step:08}/config.toml"));
        let changed = self::text(&config).replace("seed = 7", "seed = 8");
        fs::write(&config, changed).unwrap();
    }
    let [probe, compact] = ["probe", "compact"].map(|command| {
        let out = place.path(command);
        call([
            command,
            run.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ])
    });
    let tuned = place.write(
        "tuned.toml",
        &format!("{TINY}\n[fine_tune]\nfrom = {run:?}\nlayers = \"all\"\n"),
    );
    let out = place.path("tuned");
    let tune = call([
        "run",
        tuned.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    for ended in [probe, compact, tune, resume(&run)] {
        let ended = ended.expect(1, &["config.toml", "do not match their hash"]);
        assert!(!ended.err.contains("delete"), "{ended:?}");
    }
}

#[test]
fn a_reader_takes_the_last_checkpoint_that_is_whole() {
    let place = Place::new();
    let run = stopped(&place);
    append(&last_checkpoint(&run).join("model.bpk"), "x");
    let out = place.path("probe");
    let arguments = [
        "probe",
        run.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let more = ["--points", "5", "--views", "2"];
    call([&arguments[..], &more].concat()).expect(0, &["model.bpk", "step-00000020"]);
    assert_eq!(
        checkpoints(&run),
        [2 * EPOCH, 25],
        "a reader changes nothing"
    );
}

#[test]
fn a_directory_that_is_removed_during_the_run_is_an_error() {
    let place = Place::new();
    let config = place.write("long.toml", &long());
    let out = place.path("run");
    let mut child = start(&config, &out);
    assert!(wait(&mut child, || checkpoints(&out).last().is_some()));
    // The run may put a file there while its directory is being removed.
    while fs::remove_dir_all(&out).is_err() && out.exists() {}
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!out.exists(), "it is not begun again in bits");
}

#[test]
fn records_that_are_lost_are_told_by_the_exit_code() {
    // One bad byte in a file of times closes no other.
    let place = Place::new();
    let run = stopped(&place);
    let timings = run.join("timings.jsonl");
    let damaged = text(&timings).replacen(':', ";", 1);
    fs::write(&timings, damaged).unwrap();
    let ended = resume(&run).expect(5, &["timings.jsonl:1"]);
    assert!(ended.out.contains("records are lost: "), "{ended:?}");
    let last = format!("\"step\":{STEPS},");
    assert!(text(&run.join("metrics.jsonl")).contains(&last));
    assert!(text(&run.join("result.json")).contains("\"exit_code\":5"));

    // Metrics that are gone.
    for empty in [true, false] {
        let place = Place::new();
        let run = stopped(&place);
        let metrics = run.join("metrics.jsonl");
        fs::remove_file(&metrics).unwrap();
        if empty {
            fs::write(&metrics, "").unwrap();
        }
        let ended = resume(&run).expect(5, &["metrics.jsonl lacks ", " lines, from epoch 0 on"]);
        assert!(ended.out.contains("records are lost: "), "{ended:?}");
    }

    // A complete run cannot measure them again.
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    fs::write(run.join("metrics.jsonl"), "").unwrap();
    resume(&run).expect(5, &["metrics.jsonl lacks ", "put a copy of the file back"]);

    // A line that can be repaired is to be repaired first.
    let place = Place::new();
    let run = stopped(&place);
    let metrics = run.join("metrics.jsonl");
    let before = text(&metrics);
    fs::write(&metrics, before.replacen(':', ";", 1)).unwrap();
    resume(&run).expect(1, &["metrics.jsonl:1"]);
    fs::write(&metrics, before).unwrap();
    resume(&run).expect(0, &[]);
}

/// Runs the program `$1` with the config `$2` on a small disk of its own, which is full for a while, and
/// copies the run to `$3`.
#[cfg(target_os = "linux")]
const FULL_FOR_A_WHILE: &str = r#"
mkdir "$3.disk" && mount -t tmpfs -o size=16m none "$3.disk" || exit 99
"$1" run "$2" --out "$3.disk/run" 2> "$3.err" &
until [ -s "$3.disk/run/metrics.jsonl" ]; do kill -0 $! || exit 98; sleep 0.01; done
dd if=/dev/zero of="$3.disk/ballast" bs=4096 2> /dev/null
until grep -q 'the sink .metrics. cannot write' "$3.err"; do kill -0 $! || break; sleep 0.01; done
rm "$3.disk/ballast"
wait $!
code=$?
cp -r "$3.disk/run" "$3"
exit $code
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_for_a_while_costs_no_record() {
    let place = Place::new();
    let own_mounts = std::process::Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "none"])
        .arg(place.path("."))
        .output();
    if !own_mounts.is_ok_and(|made| made.status.success()) {
        // No disk of one's own can be made here.
        return;
    }
    let text = long() + "\n[checkpoints]\nevery = 1000\n";
    let straight = place.run("straight", &text, 0);
    let out = place.path("full");
    let mut shell = std::process::Command::new("unshare");
    shell.args(["-rm", "sh", "-c", FULL_FOR_A_WHILE, "sh"]);
    shell.arg(env!("CARGO_BIN_EXE_afterimage"));
    shell.arg(place.path("straight.toml")).arg(&out);
    let ended = shell.output().unwrap();
    let told = self::text(&place.path("full.err"));
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("the sink `metrics` cannot write"), "{told}");
    assert!(
        told.contains("the sink `metrics` can write again") && told.contains("none is lost"),
        "{told}"
    );
    assert_same(&ends(&straight), &ends(&out), "a run on a full disk");
}
