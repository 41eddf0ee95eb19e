//! Files that extend files, and files that are none.

use std::path::{Path, PathBuf};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, name: &str, sets: &[&str]) -> Result<Loaded<Experiment>, Vec<String>> {
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        load_file(&self.path(name), &sets).map_err(|errors| self.shown(&errors))
    }

    /// The messages, with paths told from the folder.
    fn shown(&self, errors: &ConfigErrors) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        errors
            .to_string()
            .lines()
            .map(|line| line.replace(&folder, ""))
            .collect()
    }

    fn mistakes(&self, name: &str) -> Vec<String> {
        self.load(name, &[])
            .map(|loaded| loaded.resolved)
            .unwrap_err()
    }
}

#[test]
fn three_levels_and_a_flag() {
    let folder = Folder::with(&[
        (
            "base/root.toml",
            "name = \"root\"\nseed = 1\nlimits = { a = 1, b = 1 }\ncrop = [0.1, 0.9]\n[optimizer]\nrate = 1.0\nwarmup = 1",
        ),
        (
            "base/mid.toml",
            "extends = \"root.toml\"\nseed = 2\nlimits = { b = 2 }\noptimizer.warmup = 2",
        ),
        (
            "leaf.toml",
            "extends = \"base/mid.toml\"\nname = \"leaf\"\ncrop = [0.2, 0.3]\n[optimizer]\nnesterov = true",
        ),
    ]);
    let loaded = folder.load("leaf.toml", &["limits.b=3"]).unwrap();
    let value = &loaded.value;
    assert_eq!(
        (value.name.as_str(), value.seed, value.crop),
        ("leaf", 2, Some([0.2, 0.3]))
    );
    assert_eq!(
        value.optimizer,
        Optimizer {
            rate: 1.0,
            warmup: 2,
            nesterov: true
        }
    );
    assert_eq!(
        value.limits,
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 3)])
    );
    let place = |key: &str| {
        let place = loaded.locations.get(&key.parse().unwrap()).unwrap();
        (
            Path::new(&place.file)
                .file_name()
                .map_or(place.file.clone(), |n| n.to_string_lossy().into()),
            place.line,
        )
    };
    assert_eq!(place("optimizer.rate"), ("root.toml".to_owned(), Some(6)));
    assert_eq!(place("optimizer.warmup"), ("mid.toml".to_owned(), Some(4)));
    assert_eq!(
        place("optimizer.nesterov"),
        ("leaf.toml".to_owned(), Some(5))
    );
    assert_eq!(place("limits.b"), ("--set limits.b=3".to_owned(), None));
    assert!(!loaded.resolved.contains("extends"));
}

#[test]
fn of_several_bases_the_later_wins_and_each_counts_once() {
    let folder = Folder::with(&[
        (
            "root.toml",
            "name = \"root\"\nseed = 1\noptimizer.warmup = 1",
        ),
        ("a.toml", "extends = \"root.toml\"\nseed = 2"),
        ("b.toml", "extends = \"root.toml\"\noptimizer.warmup = 2"),
        ("c.toml", "extends = [\"a.toml\", \"b.toml\"]\nname = \"c\""),
        ("d.toml", "extends = [\"a.toml\", \"e.toml\"]\nname = \"d\""),
        ("e.toml", "seed = 5"),
    ]);
    let value = folder.load("c.toml", &[]).unwrap().value;
    assert_eq!((value.seed, value.optimizer.warmup), (2, 2));
    assert_eq!(folder.load("d.toml", &[]).unwrap().value.seed, 5);
}

#[test]
fn mistakes_of_all_files_come_bases_first() {
    let folder = Folder::with(&[
        (
            "root.toml",
            "name = \"root\"\n\n\n\nsede = 1\noptimizer.rate = \"fast\"",
        ),
        (
            "leaf.toml",
            "extends = \"root.toml\"\nprecisoin = 1\noptimizer.warmup = 400",
        ),
    ]);
    assert_eq!(
        folder.mistakes("leaf.toml"),
        [
            "root.toml:5: sede: unknown key; did you mean `seed`?",
            "root.toml:6: optimizer.rate: expected a number; got \"fast\"",
            "leaf.toml:2: precisoin: unknown key; did you mean `precision`?",
            "leaf.toml:2: precisoin: expected one of its names, in quotes; got another type",
            "leaf.toml:3: optimizer.warmup: must be below 100; got 400",
        ]
    );
    // A child that puts it right takes the base's mistake away.
    let right = Folder::with(&[
        (
            "root.toml",
            "name = \"root\"\nseed = \"x\"\nplugins = [{ knd = 1 }]",
        ),
        (
            "leaf.toml",
            "extends = \"root.toml\"\nseed = 1\nplugins = []",
        ),
    ]);
    assert!(right.load("leaf.toml", &[]).is_ok());
}

#[test]
fn bases_in_a_circle_or_nowhere() {
    let folder = Folder::with(&[
        ("a.toml", "# one\nextends = \"b.toml\""),
        ("b.toml", "extends = \"c.toml\""),
        ("c.toml", "extends = [\"b.toml\", \"bsae.toml\"]"),
        ("base.toml", ""),
        ("self.toml", "extends = \"self.toml\""),
        ("odd.toml", "extends = 3"),
        ("folder/x.toml", "extends = \"../folder\""),
    ]);
    assert_eq!(
        folder.mistakes("a.toml"),
        [
            "c.toml:1: extends: the files extend each other in a circle: b.toml -> c.toml -> b.toml",
            "c.toml:1: extends: bsae.toml does not exist (reached by a.toml -> b.toml -> c.toml -> bsae.toml); \
         did you mean `base.toml`?",
        ]
    );
    assert_eq!(
        folder.mistakes("self.toml"),
        ["self.toml:1: extends: the files extend each other in a circle: self.toml -> self.toml"]
    );
    assert_eq!(
        folder.mistakes("odd.toml"),
        ["odd.toml:1: extends: expected a path in quotes or an array of them"]
    );
    assert_eq!(
        folder.mistakes("folder/x.toml"),
        ["folder/x.toml:1: extends: folder/../folder is a directory, not a file"]
    );
}

#[test]
fn a_text_cannot_extend() {
    assert_eq!(
        messages("name = \"x\"\nextends = \"b.toml\"", &[]),
        [
            "a.toml:2: extends: this config is whole and extends no other; the one that a run keeps of itself never does"
        ]
    );
}

#[test]
fn files_that_are_no_config() {
    let folder = Folder::with(&[("folder/a.toml", "")]);
    std::fs::write(folder.path("latin.toml"), b"# one\nname = \"\xe9\"").unwrap();
    assert_eq!(
        folder.mistakes("none.toml"),
        ["none.toml: there is no such file"]
    );
    assert_eq!(
        folder.mistakes("folder"),
        ["folder: this is a directory; name a TOML file in it"]
    );
    assert_eq!(
        folder.mistakes("latin.toml"),
        ["latin.toml:2: not UTF-8 text (byte 0xe9); save the file as UTF-8"]
    );
    assert_eq!(
        folder.mistakes("folder/a.toml"),
        ["folder/a.toml: name: missing; this key has no default"]
    );
}

#[test]
fn texts_that_are_no_toml() {
    assert_eq!(
        messages("name = \"x\"\n\nname = \"y\"", &[]),
        ["a.toml:3:1: not valid TOML: duplicate key `name`"]
    );
    assert_eq!(
        messages("a = 1\nb = \"é\" 3", &[]),
        ["a.toml:2:9: not valid TOML: unexpected key or value, expected newline, `#`"]
    );
    assert_eq!(
        messages("[optimizer]\nrate = 1\n[optimizer]\n", &[]),
        ["a.toml:3:2: not valid TOML: duplicate key `optimizer`"]
    );
    assert_eq!(
        messages("seed = 99999999999999999999", &[]),
        ["a.toml:1:8: not valid TOML: integer number overflowed"]
    );
    assert_eq!(
        messages("a = 2024-01-01\n[b]\nc = [07:32:00]", &[]),
        [
            "a.toml:1: a: dates are not used here; write it in quotes: \"2024-01-01\"",
            "a.toml:3: b.c[0]: dates are not used here; write it in quotes: \"07:32:00\"",
        ]
    );
}

#[test]
fn line_ends_and_alphabets_do_not_matter() {
    let folder = Folder::with(&[
        (
            "crlf.toml",
            "name = \"x\"\r\n\r\n[optimizer]\r\nrate = -1\r\n",
        ),
        ("bom.toml", "\u{feff}name = \"x\"\nsede = 1"),
        (
            "größe.toml",
            "name = \"影\"\n\"größe\" = 1\n[limits]\n\"残像\" = 3",
        ),
    ]);
    assert_eq!(
        folder.mistakes("crlf.toml"),
        ["crlf.toml:4: optimizer.rate: must be above 0; got -1"]
    );
    assert_eq!(
        folder.mistakes("bom.toml"),
        ["bom.toml:2: sede: unknown key; did you mean `seed`?"]
    );
    let mistakes = folder.mistakes("größe.toml");
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes[0].starts_with("größe.toml:2: \"größe\": unknown key; known here: "),
        "{mistakes:?}"
    );
}

#[test]
fn files_extend_each_other_so_often_and_no_more() {
    let folder = Folder::with(&[("d40.toml", "name = \"x\"\n")]);
    for depth in 0..40 {
        let text = format!("seed = {depth}\nextends = \"d{}.toml\"\n", depth + 1);
        std::fs::write(folder.path(&format!("d{depth}.toml")), text).unwrap();
    }
    assert!(folder.load("d9.toml", &[]).is_ok());
    assert_eq!(
        folder.mistakes("d8.toml"),
        ["d39.toml:2: extends: at most 32 files can extend one another in a row, and 256 in all"]
    );
    let many: Vec<String> = (0..300).map(|at| format!("\"w{at}.toml\"")).collect();
    for at in 0..300 {
        std::fs::write(folder.path(&format!("w{at}.toml")), "seed = 1\n").unwrap();
    }
    let text = format!("name = \"x\"\nextends = [{}]\n", many.join(", "));
    std::fs::write(folder.path("wide.toml"), text).unwrap();
    assert_eq!(folder.mistakes("wide.toml").len(), 1);
}

#[cfg(unix)]
#[test]
fn what_is_extended_is_a_plain_file() {
    let folder = Folder::with(&[(
        "a.toml",
        "extends = [\"/dev/zero\", \"link.toml\", \"gone.toml\"]\n",
    )]);
    std::os::unix::fs::symlink("nowhere", folder.path("link.toml")).unwrap();
    assert_eq!(
        folder.mistakes("a.toml"),
        [
            "a.toml:1: extends: /dev/zero is no plain file, but a device or a pipe",
            "a.toml:1: extends: link.toml is a link to a file that does not exist",
            "a.toml:1: extends: gone.toml does not exist",
        ]
    );
}

#[test]
fn a_whole_config_extends_nothing() {
    let folder = Folder::with(&[
        ("whole.toml", "name = \"x\"\nseed = 3\n"),
        ("parts.toml", "name = \"x\"\nextends = \"whole.toml\"\n"),
    ]);
    let load = |name: &str| load_whole_with::<Experiment>(&folder.path(name), &[], |_, _| {});
    assert_eq!(load("whole.toml").unwrap().value.seed, 3);
    let errors = load("parts.toml").unwrap_err();
    assert!(folder.shown(&errors)[0].contains("parts.toml:2: extends: this config is whole"));
}

#[test]
fn a_hundred_thousand_elements_take_no_minute() {
    let start = std::time::Instant::now();
    let line = format!("name = \"x\"\ncrop = [{}1]\n", "1, ".repeat(100_000));
    assert_eq!(messages(&line, &[]).len(), 1);
    let lines = format!("name = \"x\"\ncrop = [\n{}]\n", "1,\n".repeat(100_000));
    assert_eq!(messages(&lines, &[]).len(), 1);
    let keys: String = (0..100_000).map(|at| format!("k{at} = 1\n")).collect();
    let keys = format!("name = \"x\"\n[limits]\n{keys}");
    assert!(load_text::<Experiment>("a.toml", &keys, &[]).is_ok());
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
