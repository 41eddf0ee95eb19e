//! A tracking server.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use afterimage_hooks::Outcome;
use afterimage_track::SinkConfig;
use serde_json::Value;

use crate::server::{Manner, Run, Server};
use crate::{Points, STEPS, expected, go, sorted, whole};

fn sink(url: &str) -> [SinkConfig; 1] {
    [SinkConfig::Mlflow {
        url: url.to_owned(),
        experiment: "an experiment".to_owned(),
        name: Some("named".to_owned()),
    }]
}

fn points(run: &Run) -> Points {
    sorted(run.metrics.iter().map(|metric| {
        let value = match metric["value"].as_str() {
            Some("NaN") => f64::NAN,
            Some("Infinity") => f64::INFINITY,
            Some("-Infinity") => f64::NEG_INFINITY,
            _ => metric["value"].as_f64().unwrap(),
        };
        let key = metric["key"].as_str().unwrap().to_owned();
        assert!(metric["timestamp"].as_u64().unwrap() > 1_000_000_000_000);
        (metric["step"].as_u64().unwrap(), key, value)
    }))
}

/// What the server should hold: names without the characters that it does not take.
fn named(run: &Path) -> Points {
    let mut all = expected(run);
    all.iter_mut()
        .for_each(|(_, tag, _)| *tag = tag.replace(':', "_"));
    all
}

#[test]
fn a_run_is_there_with_settings_and_end() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Well);
    let run = place.path().join("one");
    assert_eq!(whole(&run, &sink(&server.url), None), []);
    assert_eq!(
        whole(&place.path().join("two"), &sink(&server.url), None),
        []
    );
    let store = server.store.lock().unwrap();
    assert_eq!(store.experiments, ["an experiment"]);
    let [one, two] = &store.runs[..] else {
        panic!("{store:?}")
    };
    assert_eq!(
        (one.name.as_str(), two.name.as_str()),
        ("named/one", "named/two")
    );
    assert_eq!(
        (one.experiment.as_str(), one.status.as_str()),
        ("0", "FINISHED")
    );
    assert_eq!(one.params["optimizer.kind"], "sgd");
    assert_eq!(one.params["plugins.watch.histograms"], "false");
    assert_eq!(one.params["seed"], "7");
    assert_eq!(points(one), named(&run));
    assert_eq!(points(one).len(), 34);
    // Not a question a step.
    let batches = store
        .asked
        .iter()
        .filter(|asked| *asked == "runs/log-batch");
    assert!(batches.count() <= 8, "{:?}", store.asked);
}

#[test]
fn a_run_that_goes_on_is_there_once() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Well);
    let run = place.path().join("run");
    let mut cut = go(&run, &sink(&server.url), None, 9);
    cut.close(&Outcome::Interrupted("15".to_owned()));
    assert_eq!(server.store.lock().unwrap().runs[0].status, "KILLED");
    // Some of before the checkpoint did not arrive, and some of behind it did.
    server.store.lock().unwrap().runs[0]
        .metrics
        .retain(|metric: &Value| metric["step"] != 3);
    assert_eq!(whole(&run, &sink(&server.url), Some(5)), []);
    let store = server.store.lock().unwrap();
    let [one] = &store.runs[..] else {
        panic!("{store:?}")
    };
    assert_eq!(one.status, "FINISHED");
    assert_eq!(points(one), named(&run));
}

#[test]
fn what_a_server_took_before_it_died_is_not_told_twice() {
    let place = tempfile::tempdir().unwrap();
    for (name, manner) in [("dies", Manner::Dies(1)), ("busy", Manner::Busy(1))] {
        let server = Server::start(manner);
        let run = place.path().join(name);
        let mut sinks = go(&run, &sink(&server.url), None, STEPS);
        let begun = Instant::now();
        while sinks.disabled().is_empty() {
            sinks.flush();
            assert!(begun.elapsed() < Duration::from_secs(5), "it is told");
        }
        // Once it answers again, all is well.
        while !sinks.disabled().is_empty() {
            sinks.flush();
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?}",
                sinks.disabled()
            );
        }
        sinks.close(&Outcome::Completed);
        assert_eq!(sinks.disabled(), []);
        let store = server.store.lock().unwrap();
        assert_eq!(store.runs.len(), 1);
        assert_eq!(points(&store.runs[0]), named(&run), "{name}");
    }
}

#[test]
fn a_server_that_is_not_there_costs_no_time() {
    let place = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let run = place.path().join("run");
    let begun = Instant::now();
    let lost = whole(&run, &sink(&url), None);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let [lost] = &lost[..] else {
        panic!("{lost:?}")
    };
    let reason = &lost.reason;
    assert!(
        lost.sink == "mlflow" && reason.contains("34 records are lost"),
        "{reason}"
    );
    assert!(
        reason.contains("from step 0 on") && reason.contains(&url),
        "{reason}"
    );
    assert_eq!(expected(&run).len(), 34);
}

#[test]
fn a_server_that_hangs_is_waited_for_at_the_end_alone_and_not_for_long() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Hangs);
    let run = place.path().join("run");
    let begun = Instant::now();
    let mut sinks = go(&run, &sink(&server.url), None, STEPS);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(expected(&run).len(), 34);
    sinks.close(&Outcome::Completed);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let lost = sinks.disabled();
    assert!(lost[0].reason.contains("34 records are lost"), "{lost:?}");
}

#[test]
fn what_a_server_does_not_take_is_told() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::Refuses);
    let lost = whole(&place.path().join("run"), &sink(&server.url), None);
    assert!(
        lost[0].reason.starts_with("34 records") && lost[0].reason.contains("no such name"),
        "{lost:?}"
    );
}

#[test]
fn addresses_are_checked() {
    let problem = |url: &str| {
        let [sink] = sink(url);
        sink.problems()
            .into_iter()
            .map(|(key, problem)| {
                assert_eq!(key, "url");
                problem
            })
            .collect::<Vec<_>>()
            .join("; ")
    };
    for url in [
        "http://127.0.0.1:5000",
        "http://mlflow.local/prefix/",
        "http://[::1]:5000",
    ] {
        assert_eq!(problem(url), "", "{url}");
    }
    for (url, words) in [
        ("https://x.org", "HTTPS is not built in"),
        ("ftp://x.org", "no HTTP address"),
        ("127.0.0.1:5000", "no "),
        ("http://", "no address"),
        ("/var/mlruns", "no HTTP address"),
        ("http://me:secret@x.org", "would be kept"),
        ("http://x.org/?a=1", "no address of a server"),
    ] {
        let told = problem(url);
        assert!(told.contains(words), "{url}: {told}");
    }
}
