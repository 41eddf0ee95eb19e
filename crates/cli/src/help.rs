//! The help of the command: its commands in groups, by what one wants.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use crate::arguments::Arguments;

/// The commands in the order in which one comes to need them.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Train", &["new", "check", "run", "resume", "report"]),
    (
        "Look at an encoder",
        &["probe", "sensitivity", "ablate", "exchange", "insert"],
    ),
    ("Take an encoder home", &["compact", "export"]),
    ("Data and values", &["data", "value", "select"]),
    ("Sweeps", &["sweep"]),
    (
        "Configs, plugins and the shell",
        &["plugins", "schema", "completions", "man", "help"],
    ),
];

/// Letters of a line.
const WIDTH: usize = 100;
/// Where sentences begin.
const INDENT: usize = 15;

/// The command line, whose help shows commands in groups: clap can only list them under one heading.
pub fn command() -> Command {
    let command = Arguments::command();
    let groups = groups(&command);
    let options = *command.get_styles().get_header();
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n{options}Options:{options:#}\n{{options}}\n\nafterimage COMMAND --help \
         tells more of a command.\n"
    ))
}

fn groups(command: &Command) -> String {
    let header = *command.get_styles().get_header();
    let literal = *command.get_styles().get_literal();
    let mut text = String::new();
    for (title, names) in GROUPS {
        // A String takes whatever is written to it.
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for name in names {
            let about = match command.find_subcommand(name) {
                Some(found) => found
                    .get_about()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                // clap adds it when the command is built.
                None => "Print this message or the help of a command".to_owned(),
            };
            let _ = write!(
                text,
                "  {literal}{name:<width$}{literal:#}",
                width = INDENT - 2
            );
            sentence(&mut text, about.split(". ").next().unwrap_or_default());
        }
    }
    text
}

/// Adds the words of a sentence, on as many lines as they need.
fn sentence(text: &mut String, words: &str) {
    let mut column = INDENT;
    for (at, word) in words.split_whitespace().enumerate() {
        if column + word.len() >= WIDTH {
            let _ = write!(text, "\n{:INDENT$}", "");
            column = INDENT;
        } else if at > 0 {
            text.push(' ');
        }
        text.push_str(word);
        column += word.len() + 1;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_stands_in_one_group() {
        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let once: BTreeSet<&str> = grouped.iter().copied().collect();
        assert_eq!(once.len(), grouped.len());
        let mut command = Arguments::command();
        command.build();
        let there: BTreeSet<&str> = command.get_subcommands().map(Command::get_name).collect();
        assert_eq!(once, there);
    }

    #[test]
    fn the_help_has_all_groups_on_lines_that_fit() {
        let help = command().render_help().to_string();
        for (title, names) in GROUPS {
            assert!(help.contains(&format!("\n{title}:\n")), "{help}");
            for name in names {
                assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
            }
        }
        assert!(help.contains("--version") && !help.contains('{'), "{help}");
        let long = help.lines().find(|line| line.chars().count() > WIDTH);
        assert_eq!(long, None);
    }
}
