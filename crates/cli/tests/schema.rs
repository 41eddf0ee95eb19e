//! `afterimage schema`: what an editor checks by agrees with what a run is checked by.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::{Place, TINY, call};
use serde_json::{Value, json};

fn schema(flags: &[&str]) -> Value {
    let arguments = ["schema"].iter().chain(flags);
    serde_json::from_str(&call(arguments).expect(0, &[]).out).unwrap()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All TOML files of the project below `folder`.
fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            toml_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "toml") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Value {
    let table: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    serde_json::to_value(table).unwrap()
}

/// What draft 7 says of `value`, as far as these schemas use it.
fn mistakes(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let mut tell = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{at}: {what}"));
        }
    };
    if let Some(kind) = schema.get("type").and_then(Value::as_str) {
        let fits = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("no type {other}"),
        };
        tell(fits, &format!("not of type {kind}"));
    }
    let one_of = |names: &Value| names.as_array().unwrap().contains(value);
    tell(
        schema.get("enum").is_none_or(one_of),
        "not one of the names",
    );
    tell(
        schema.get("const").is_none_or(|only| only == value),
        "another value",
    );
    let number = value.as_f64().unwrap_or(f64::NAN);
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    tell(bound("minimum").is_none_or(|low| number >= low), "too low");
    tell(
        bound("exclusiveMinimum").is_none_or(|low| number > low),
        "too low",
    );
    tell(
        bound("maximum").is_none_or(|high| number <= high),
        "too high",
    );
    tell(
        bound("exclusiveMaximum").is_none_or(|high| number < high),
        "too high",
    );
    let required = schema.get("required").and_then(Value::as_array);
    for key in required.into_iter().flatten() {
        tell(
            value.get(key.as_str().unwrap()).is_some(),
            &format!("no {key}"),
        );
    }
    if let Some(condition) = schema.get("if") {
        let mut others = Vec::new();
        mistakes(condition, value, at, &mut others);
        let branch = if others.is_empty() { "then" } else { "else" };
        mistakes(&schema[branch], value, at, found);
    }
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
        let none = options.iter().all(|option| {
            let mut others = Vec::new();
            mistakes(option, value, at, &mut others);
            !others.is_empty()
        });
        if none {
            found.push(format!("{at}: none of the alternatives"));
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match (
            schema.get("properties").and_then(|known| known.get(key)),
            schema.get("additionalProperties"),
        ) {
            (Some(property), _) => mistakes(property, inner, &at, found),
            (None, Some(Value::Bool(false))) => found.push(format!("{at}: unknown")),
            (None, Some(others)) => mistakes(others, inner, &at, found),
            (None, None) => {}
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
        for (index, element) in elements.iter().enumerate() {
            mistakes(items, element, &format!("{at}[{index}]"), found);
        }
    }
}

fn told(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    mistakes(schema, value, "", &mut found);
    found
}

#[test]
fn every_config_of_the_project_fits_its_schema() {
    let (experiment, sweep) = (schema(&[]), schema(&["--sweep"]));
    let mut files = Vec::new();
    for folder in ["configs", "experiments", "examples/foreign_plugin"] {
        toml_files(&repository().join(folder), &mut files);
    }
    let mut counts = [0, 0];
    for file in files {
        let mut value = read(&file);
        // A base leaves keys to the files that extend it.
        if file.file_stem().is_some_and(|name| name == "base") {
            value["extends"] = json!([]);
        }
        let is_sweep = ["metric", "seeds", "stages", "compare"]
            .iter()
            .any(|key| value.get(key).is_some());
        let names_kinds_of_its_own = file
            .components()
            .any(|part| part.as_os_str() == "foreign_plugin");
        if value.get("package").is_some() || names_kinds_of_its_own {
            continue;
        }
        // What a probe or a script reads is no experiment.
        let is_experiment = ["epochs", "extends", "plugins"]
            .iter()
            .any(|key| value.get(key).is_some());
        if !is_sweep && !is_experiment {
            continue;
        }
        counts[usize::from(is_sweep)] += 1;
        let told = told(if is_sweep { &sweep } else { &experiment }, &value);
        assert!(told.is_empty(), "{}: {told:#?}", file.display());
    }
    assert!(counts[0] > 50 && counts[1] > 0, "{counts:?}");
}

#[test]
fn wrong_keys_values_and_plugins_do_not_fit() {
    let schema = schema(&[]);
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let plugin = "\n[[plugins]]\nkind = \"unitmem\"\nevery = \"2 epochs\"\npoints = 10\n";
    let right = TINY.to_owned() + plugin;
    let fits = |text: &str| {
        let table: toml::Table = toml::from_str(text).unwrap();
        told(&schema, &serde_json::to_value(table).unwrap()).is_empty()
    };
    assert!(fits(&right));
    for (from, to) in [
        ("epochs = 3", "epohcs = 3"),
        ("epochs = 3", "epochs = \"three\""),
        ("epochs = 3", "epochs = 0"),
        ("epochs = 3", ""),
        ("kind = \"resnet9\"", "kind = \"resnet18\""),
        ("width = 0.125", "witdh = 0.125"),
        ("kind = \"simclr\"", "kind = \"simclr\"\nlr = 1.0"),
        ("kind = \"unitmem\"", "kind = \"unitmme\""),
        ("kind = \"unitmem\"\n", ""),
        ("points = 10", "pionts = 10"),
        ("points = 10", "points = \"many\""),
        ("points = 10", "on_fault = \"ignore\""),
    ] {
        assert!(right.contains(from), "{from}");
        assert!(!fits(&right.replace(from, to)), "{from} → {to}");
    }
    // A file that extends another leaves required keys to it.
    assert!(fits(
        "extends = \"base.toml\"\n[objective]\ntemperature = 0.2\n"
    ));
    assert!(!fits("extends = \"base.toml\"\n[objective]\nheat = 0.2\n"));
}

/// Every number with a bound: its path, as a flag sets it, and the bound's key and value.
fn bounds(schema: &Value, at: &str, found: &mut Vec<(String, String, f64, bool)>) {
    let whole = schema.get("type") == Some(&json!("integer"));
    for key in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
        if let Some(bound) = schema.get(key).and_then(Value::as_f64) {
            found.push((at.to_owned(), key.to_owned(), bound, whole));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (key, inner) in properties.into_iter().flatten() {
        bounds(inner, &format!("{at}.{key}"), found);
    }
}

#[test]
fn ranges_of_the_schema_are_those_of_a_run() {
    let schema = schema(&[]);
    let place = Place::new();
    let mut checked = 0;
    let mut check = |text: &str, at: &str, bound: &str, value: f64, whole: bool| {
        let step = if whole { 1.0 } else { 0.001 };
        let beyond = match bound {
            "minimum" => value - step,
            "maximum" => value + step,
            _ => value,
        };
        let beyond = if whole {
            format!("{beyond:.0}")
        } else {
            format!("{beyond:?}")
        };
        let config = place.write("config.toml", text);
        let set = format!("{}={beyond}", at.trim_start_matches('.'));
        let ended = call(["check", config.to_str().unwrap(), "--set", &set]);
        let key = at.rsplit('.').next().unwrap();
        assert!(
            ended.code == Some(2) && ended.err.contains(key),
            "{set}: {ended:#?}"
        );
        checked += 1;
    };
    for (table, properties) in schema["properties"].as_object().unwrap() {
        let mut found = Vec::new();
        bounds(properties, table, &mut found);
        // Tables that a run need not have are set as a whole by their other keys.
        found.retain(|(at, ..)| !at.starts_with("pair") && at.matches('.').count() < 2);
        for (at, bound, value, whole) in found {
            check(TINY, &at, &bound, value, whole);
        }
    }
    for kind in schema["properties"]["plugins"]["items"]["anyOf"]
        .as_array()
        .unwrap()
    {
        let name = kind["properties"]["kind"]["const"].as_str().unwrap();
        let text = format!("{TINY}\n[[plugins]]\nkind = {name:?}\n");
        let mut found = Vec::new();
        bounds(kind, "plugins[0]", &mut found);
        found.retain(|(at, ..)| at.matches('.').count() < 2);
        for (at, bound, value, whole) in found {
            check(&text, &at, &bound, value, whole);
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn the_tables_of_keys_are_those_of_the_code() {
    let tables = call(["schema", "--markdown"]).expect(0, &[]).out;
    let file = repository().join("docs/keys.md");
    let stored = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stored == tables,
        "docs/keys.md is not what the code says; run: afterimage schema --markdown > docs/keys.md"
    );
    // What is told of keys in prose is complete, too.
    let docs = repository().join("docs");
    let told = ["configs.md", "sweeps.md"].map(|name| fs::read_to_string(docs.join(name)).unwrap());
    let keys = tables
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    for (key, _) in keys {
        let name = key.rsplit('.').next().unwrap();
        assert!(
            told.iter().any(|text| text.contains(name)),
            "docs/configs.md and docs/sweeps.md do not tell of {key}"
        );
    }
}

/// The properties that a heading of docs/configs.md speaks of.
fn of_heading<'a>(schema: &'a Value, heading: &str) -> Vec<&'a Value> {
    let known = &schema["properties"];
    if heading == "Top level" {
        return vec![known];
    }
    if heading.starts_with("`kind = ") {
        let kinds = known["plugins"]["items"]["anyOf"].as_array().unwrap();
        let named =
            |kind: &&Value| heading.contains(&kind["properties"]["kind"]["const"].to_string());
        return kinds
            .iter()
            .filter(named)
            .map(|kind| &kind["properties"])
            .collect();
    }
    let table = heading
        .strip_prefix("`[")
        .and_then(|rest| rest.strip_suffix("]`"));
    let table = table.and_then(|name| known.get(name)?.get("properties"));
    table.into_iter().collect()
}

#[test]
fn defaults_in_prose_are_those_of_the_code() {
    let schema = schema(&[]);
    let prose = fs::read_to_string(repository().join("docs/configs.md")).unwrap();
    let mut properties = Vec::new();
    let mut compared = 0;
    for line in prose.lines() {
        if line.starts_with('#') {
            properties = of_heading(&schema, line.trim_start_matches('#').trim());
        }
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [key, _, default, ..] = cells[..] else {
            continue;
        };
        let plain = |cell: &str| cell.trim_matches(['|', ' ', '`']).to_owned();
        let Ok(default) = toml::from_str::<toml::Table>(&format!("x = {}", plain(default))) else {
            continue;
        };
        let told = serde_json::to_value(&default["x"]).unwrap();
        for table in &properties {
            if let Some(property) = table.get(plain(key)) {
                assert_eq!(property.get("default"), Some(&told), "{line}");
                compared += 1;
            }
        }
    }
    assert!(compared > 80, "{compared}");
}

#[test]
fn toml_of_the_documentation_fits_the_schemas() {
    let (experiment, sweep) = (schema(&[]), schema(&["--sweep"]));
    let mut pages = vec![repository().join("README.md")];
    let docs = fs::read_dir(repository().join("docs")).unwrap();
    pages.extend(docs.map(|entry| entry.unwrap().path()));
    pages.retain(|path| path.extension().is_some_and(|end| end == "md"));
    let mut blocks = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let table: toml::Table = toml::from_str(block)
                .unwrap_or_else(|error| panic!("{}: {error}\n{block}", page.display()));
            blocks += 1;
            // Settings of an editor are no config.
            if table.contains_key("rule") {
                continue;
            }
            // A part of a file: the rest of it may stand elsewhere.
            let mut value = serde_json::to_value(table).unwrap();
            value["extends"] = json!([]);
            let fits = [&experiment, &sweep].map(|schema| told(schema, &value));
            assert!(
                fits.iter().any(Vec::is_empty),
                "{}: {fits:#?}\n{block}",
                page.display()
            );
        }
    }
    assert!(blocks >= 4, "{blocks}");
}
