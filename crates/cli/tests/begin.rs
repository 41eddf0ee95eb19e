//! First configs, completions, man pages and the help.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use afterimage::{Registry, recipes};

use run::{Place, afterimage, call, finish};

/// The text of `new` with these flags in the file `name`.
fn written(place: &Place, name: &str, flags: &[&str]) -> String {
    let path = place.path(name);
    finish(afterimage().arg("new").arg(&path).args(flags)).expect(0, &[]);
    fs::read_to_string(path).unwrap()
}

/// The resolved config of a file.
fn resolved(path: &Path) -> String {
    let loaded = Registry::standard().load(path, &[]);
    loaded
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .resolved
}

/// `text` without the `#` in front of keys that stand at their defaults.
fn uncommented(text: &str) -> String {
    let bare = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(bare).collect()
}

#[test]
fn every_pair_on_any_images_passes_check_and_says_what_each_key_does() {
    let place = Place::new();
    let pictures = place.path("pictures");
    fs::create_dir_all(pictures.join("train/cat")).unwrap();
    fs::create_dir_all(pictures.join("test/cat")).unwrap();
    fs::write(pictures.join("train/cat/1.png"), "").unwrap();
    let pictures = pictures.to_str().unwrap();
    let mut configs = Vec::new();
    // Those that extend another config are among them.
    assert!(
        recipes()
            .iter()
            .any(|one| one.encoder == "resnet50" && one.objective == "dino")
    );
    for (at, recipe) in recipes().iter().enumerate() {
        for (of, data) in ["embedded", "cifar10", "cifar100:some/where", pictures]
            .into_iter()
            .enumerate()
        {
            let name = format!("{at}-{of}.toml");
            let pair = [
                "--objective",
                &recipe.objective,
                "--encoder",
                &recipe.encoder,
                "--data",
                data,
            ];
            let text = written(&place, &name, &pair);
            configs.push((place.path(&name), text));
        }
    }
    let text = written(&place, "quick.toml", &["--quickstart"]);
    configs.push((place.path("quick.toml"), text));
    let checked = finish(
        afterimage()
            .arg("check")
            .args(configs.iter().map(|(path, _)| path)),
    );
    checked.expect(0, &[]);
    for (path, text) in &configs {
        let lines: Vec<&str> = text.lines().collect();
        for (above, line) in lines.iter().zip(&lines[1..]) {
            let key = line.contains(" = ") && !line.starts_with("# ");
            let told = above.len() > 2 && above.starts_with("# ");
            assert!(
                !key || told,
                "{}: {line} has no comment:\n{text}",
                path.display()
            );
        }
        // A key behind its # says what is so anyway; keys of plugins are kept as they are written.
        let (own, plugins) = text.split_at(text.find("\n[[plugins]]").unwrap());
        let all = place.write("all.toml", &format!("{}{plugins}", uncommented(own)));
        assert_ne!(uncommented(own), own);
        assert_eq!(resolved(&all), resolved(path), "{}", path.display());
        resolved(&place.write("plugins.toml", &uncommented(text)));
    }
}

#[test]
fn what_is_written_runs() {
    let place = Place::new();
    let small = [
        "epochs=1",
        "batch_size=16",
        "limits.train=32",
        "limits.held_out=40",
        "evaluation.bank=32",
        "evaluation.k=5",
        "plugins.unitmem.points=8",
        "plugins.unitmem.views=2",
    ];
    let mut seen = BTreeSet::new();
    for recipe in recipes() {
        // Of each objective the smallest encoder, which it has first.
        if !seen.insert(&recipe.objective) {
            continue;
        }
        let name = format!("{}.toml", recipe.objective);
        written(&place, &name, &["--objective", &recipe.objective]);
        let mut command = afterimage();
        command
            .arg("run")
            .arg(place.path(&name))
            .arg("--out")
            .arg(place.path(&recipe.objective));
        small.iter().for_each(|set| {
            command.args(["--set", set]);
        });
        finish(&mut command).expect(0, &[]);
    }
    assert!(seen.len() >= 8);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let place = Place::new();
    let first = written(&place, "mine.toml", &[]);
    assert!(
        first.contains("\nname = \"mine\"\n") && first.contains("\nkind = \"embedded\"\n"),
        "{first}"
    );
    let new = |name: &str, flags: &[&str]| {
        finish(afterimage().arg("new").arg(place.path(name)).args(flags))
    };
    new("mine.toml", &["--objective", "byol"]).expect(2, &["mine.toml: this is there already"]);
    assert_eq!(fs::read_to_string(place.path("mine.toml")).unwrap(), first);
    new("a.toml", &["--objective", "mae", "--encoder", "resnet9"]).expect(
        2,
        &["mae with resnet9: there is no recipe of it; there are simclr with resnet9"],
    );
    new("a.toml", &["--data", "no-such-folder"])
        .expect(2, &["--data no-such-folder: there is no such folder"]);
    new("two words.toml", &[]).expect(2, &["\"two words\" becomes the run's name"]);
    new("a.toml", &["--quickstart", "--objective", "mae"]).expect(2, &["cannot be used with"]);
    new("no/such/folder.toml", &[]).expect(1, &["cannot write"]);
    assert!(!place.path("a.toml").exists());
}

#[test]
fn shells_understand_their_scripts() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = call(["completions", shell]).expect(0, &[]).out;
        for word in ["sensitivity", "--budget"] {
            let word = word.trim_start_matches('-');
            assert!(script.contains(word), "{shell} knows no {word}");
        }
        assert!(!script.contains("\\u00"), "{shell}: a character is escaped");
    }
    let script = call(["completions", "bash", "--name", "mine"])
        .expect(0, &[])
        .out;
    assert!(script.contains("complete -F _mine"), "{script}");
    let mut bash = Command::new("bash")
        .args(["-n", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    call(["completions", "tcsh"]).expect(2, &["invalid value 'tcsh'"]);
    for name in ["a b", "", "`touch x`", "a\"b", "-x"] {
        let name = format!("--name={name}");
        call(["completions", "bash", &name]).expect(2, &["--name"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_takes_no_more_is_told() {
    for words in [
        &["schema"][..],
        &["completions", "bash"],
        &["man"],
        &["plugins"],
        &["--help"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = afterimage().args(words).stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {told}");
        assert!(
            told.contains("standard output cannot be written: No space left"),
            "{told}"
        );
    }
}

#[test]
fn every_command_has_a_page() {
    let place = Place::new();
    let folder = place.path("man");
    let help = call(["--help"]).expect(0, &[]).out;
    let commands: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| word.chars().all(|letter| letter.is_ascii_lowercase()))
        .filter(|word| call([word, "--help"]).code == Some(0))
        .collect();
    assert!(commands.len() >= 18, "{commands:?}");
    finish(afterimage().arg("man").arg(&folder)).expect(0, &[]);
    for command in commands.iter().filter(|command| **command != "help") {
        let page = fs::read_to_string(folder.join(format!("afterimage-{command}.1")));
        let page = page.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(
            page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"),
            "{page}"
        );
    }
    assert!(folder.join("afterimage-data-list.1").is_file());
    let printed = call(["man"]).expect(0, &[]).out;
    assert_eq!(
        printed,
        fs::read_to_string(folder.join("afterimage.1")).unwrap()
    );
    // A page that cannot be written is named, and the one that was there is left as it is.
    let page = folder.join("afterimage-run.1");
    fs::remove_file(&page).unwrap();
    fs::create_dir(&page).unwrap();
    fs::write(page.join("mine"), "").unwrap();
    finish(afterimage().arg("man").arg(&folder)).expect(1, &["afterimage-run.1: cannot write"]);
    assert!(!folder.join(".afterimage-run.1.tmp").exists());
    fs::remove_dir_all(&page).unwrap();
    // Pages are written anew, over those that are there.
    finish(afterimage().arg("man").arg(&folder)).expect(0, &[]);
}
