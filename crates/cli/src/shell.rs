//! The commands `completions` and `man`: what a shell and `man` know of the command.

use std::fs;
use std::io;
use std::path::Path;

use afterimage::RunError;
use afterimage::files::write_whole;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::help;
use crate::output::say;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
    /// Name of the program, for one that is the command with plugins of its own.
    #[arg(long, default_value = "afterimage", value_parser = program)]
    pub name: String,
}

/// A name that a script may hold as it is.
fn program(name: &str) -> Result<String, String> {
    let fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    match !name.is_empty() && !name.starts_with('-') && name.chars().all(fine) {
        true => Ok(name.to_owned()),
        false => Err("letters, digits, '-', '_' and '.' make the name of a program".to_owned()),
    }
}

/// Prints the script; its result is the exit code.
pub fn completions(arguments: &Completions) -> u8 {
    let mut script = Vec::new();
    let name = arguments.name.as_str();
    clap_complete::generate(arguments.shell, &mut help::command(), name, &mut script);
    say(&String::from_utf8_lossy(&script));
    0
}

/// Prints the page of the command, or writes those of all commands to `folder`; its result is the exit
/// code.
pub fn man(folder: Option<&Path>) -> Result<u8, RunError> {
    let failed = |path: &Path, source: io::Error| RunError::Io {
        path: path.to_owned(),
        verb: "write",
        source,
    };
    let Some(folder) = folder else {
        let mut page = Vec::new();
        // As clap_mangen has it in a folder: the help of commands has no page.
        clap_mangen::Man::new(help::command().disable_help_subcommand(true))
            .render(&mut page)
            .map_err(|source| failed(Path::new("standard output"), source))?;
        say(&String::from_utf8_lossy(&page));
        return Ok(0);
    };
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let mut all = help::command().disable_help_subcommand(true);
    all.build();
    for (name, page) in pages(all).map_err(|source| failed(folder, source))? {
        let path = folder.join(name);
        write_whole(&path, &page, false).map_err(|source| failed(&path, source))?;
    }
    say(&format!(
        "{}, and a page for each command beside it\n",
        folder.join("afterimage.1").display()
    ));
    Ok(0)
}

/// The pages of `command` and of all commands below it, by file name.
fn pages(command: Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let below = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    let mut all = Vec::new();
    for below in below.cloned() {
        all.extend(pages(below)?);
    }
    let man = clap_mangen::Man::new(command);
    let mut page = Vec::new();
    man.render(&mut page)?;
    all.push((man.get_filename(), page));
    Ok(all)
}
