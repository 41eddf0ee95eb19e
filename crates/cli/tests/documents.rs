//! What the documents tell people to type: commands and flags that there are.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A block between fences: where it begins, its language, its lines.
struct Block {
    at: String,
    language: String,
    text: String,
}

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The blocks of one document, in order.
fn blocks_of(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, inside) {
            (Some(language), false) => blocks.push(Block {
                at: format!("{}:{}", path.display(), number + 1),
                language: language.to_owned(),
                text: String::new(),
            }),
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
        if fence.is_some() {
            inside = !inside;
        }
    }
    assert!(!inside, "{}: a block is not closed", path.display());
    blocks
}

fn blocks() -> Vec<Block> {
    let mut paths = Vec::new();
    documents(Path::new(ROOT), &mut paths);
    paths.sort();
    paths.iter().flat_map(|path| blocks_of(path)).collect()
}

/// The words of a line of a shell, up to a comment or another command; quotes are taken off.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(letter),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (';' | '&' | '>', None) => break,
            (' ' | '\t', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The places behind `](` of a document that are no address, without what follows `#`; none of those in
/// blocks.
fn links(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        }
        let rest = if inside { "" } else { line };
        found.extend(rest.split("](").skip(1).filter_map(|rest| {
            let place = rest.split(')').next()?.split('#').next()?;
            (!place.is_empty() && !place.contains("://")).then(|| place.to_owned())
        }));
    }
    found
}

#[test]
fn the_book_has_every_page_once_and_every_link_leads_somewhere() {
    let docs = Path::new(ROOT).join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut listed = links(&summary);
    listed.sort();
    let mut pages = Vec::new();
    documents(&docs, &mut pages);
    let mut there: Vec<String> = pages
        .iter()
        .map(|page| {
            page.strip_prefix(&docs)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|page| page != "SUMMARY.md")
        .collect();
    there.sort();
    assert_eq!(
        listed, there,
        "docs/SUMMARY.md lists each page of docs once"
    );
    let mut broken = Vec::new();
    for page in pages {
        for link in links(&std::fs::read_to_string(&page).unwrap()) {
            if !page.parent().unwrap().join(&link).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What follows `afterimage` in each line of blocks that are commands, with its place.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for block in blocks() {
        if !matches!(block.language.as_str(), "" | "sh" | "bash" | "console") {
            continue;
        }
        for line in block.text.replace("\\\n", " ").lines() {
            let line = line.trim().trim_start_matches("$ ");
            let rest = line
                .strip_prefix("afterimage ")
                .or_else(|| line.strip_prefix("cargo run --release -- "));
            if let Some(rest) = rest {
                found.push((block.at.clone(), words(rest)));
            }
        }
    }
    found
}

fn afterimage(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_afterimage"))
        .args(arguments)
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.success(), text)
}

/// Whether a line shows what may be written, and not what is: `[--flag]`, `A|B`, `…`.
fn is_a_synopsis(words: &[String]) -> bool {
    words
        .iter()
        .any(|word| word.starts_with('[') || word.contains(['|', '…']))
}

#[test]
fn every_command_of_the_documents_is_understood() {
    let commands = commands();
    assert!(
        commands.len() > 15,
        "{} commands were found",
        commands.len()
    );
    let mut wrong = Vec::new();
    for (at, words) in commands.iter().filter(|(_, words)| !is_a_synopsis(words)) {
        // The flag for help comes last, so that all before it is checked and nothing is run.
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let (understood, text) = afterimage(&arguments);
        if !understood {
            wrong.push(format!("{at}: afterimage {}\n{text}", words.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_flag_of_the_documents_is_there() {
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, words) in commands() {
        let command = words[0].clone();
        let help = helps
            .entry(command.clone())
            .or_insert_with(|| afterimage(&[&command, "--help"]).1);
        for word in &words {
            let Some(start) = word.find("--") else {
                continue;
            };
            let name: String = word[start..]
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
                .collect();
            let known = help
                .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
                .any(|flag| flag == name);
            if name.len() > 2 && !known && name != "--help" {
                wrong.push(format!("{at}: afterimage {command} has no {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
