//! Which column is what.

use std::path::Path;

use afterimage_table::{ignored, is_unnamed};

use super::column::Role;
use super::{Format, LabelSource, ReadOptions};
use crate::error::ValueError;

/// What each column is for.
pub(crate) fn roles(
    path: &Path,
    format: Format,
    names: &[String],
    options: &ReadOptions,
) -> Result<Vec<Role>, ValueError> {
    // Those that an index stands in may all be without names.
    let unnamed = names.iter().take_while(|name| is_unnamed(name)).count();
    let mut sorted: Vec<&String> = names.iter().skip(unnamed).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let what = match format {
            Format::Csv => {
                "two columns have this name; rename one of them, or say --no-header if the first line \
                 is a row"
            }
            _ => "two columns have this name; rename one of them",
        };
        return Err(at_header(path, pair[0], what));
    }
    let left_out = ignored(
        &options.ignore,
        if options.header { names } else { &[] },
        names.len(),
    )
    .map_err(|what| ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: None,
        what,
    })?;
    let mut roles = vec![Role::Feature; names.len()];
    let mut assign = |flag: &str, wanted: &str, role: Role| {
        let at = find(path, names, flag, wanted, options.header)?;
        if roles[at] != Role::Feature {
            let what = format!("{flag} names a column that another argument names, too");
            return Err(at_header(path, &names[at], &what));
        }
        roles[at] = role;
        Ok(())
    };
    if let LabelSource::Column(name) = &options.label {
        assign("--label", name, Role::Label)?;
    }
    if let Some(name) = &options.id {
        assign("--id", name, Role::Id)?;
    }
    for at in left_out {
        assign("--ignore", &(at + 1).to_string(), Role::Ignored)?;
    }
    for name in &options.categorical {
        assign("--categorical", name, Role::Categorical)?;
    }
    Ok(roles)
}

fn at_header(path: &Path, column: &str, what: &str) -> ValueError {
    ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: Some(column.to_owned()),
        what: what.to_owned(),
    }
}

fn find(
    path: &Path,
    names: &[String],
    flag: &str,
    wanted: &str,
    header: bool,
) -> Result<usize, ValueError> {
    if let Some(at) = names.iter().position(|name| name == wanted) {
        return Ok(at);
    }
    let number = wanted.parse::<usize>().ok();
    if let Some(at) = number.and_then(|n| n.checked_sub(1))
        && at < names.len()
    {
        return Ok(at);
    }
    let some: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let more = if names.len() > some.len() {
        ", …"
    } else {
        ""
    };
    let there_are = if header {
        format!("its columns are {}{more}", some.join(", "))
    } else {
        format!("its columns are numbered 1 to {}", names.len())
    };
    Err(ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: None,
        what: format!("there is no column `{wanted}` ({flag}); {there_are}"),
    })
}
