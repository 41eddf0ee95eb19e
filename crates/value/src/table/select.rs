//! Which column is what.

use std::path::Path;

use afterimage_table::{ignored, is_unnamed, place};

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
    let refused = |flag: &'static str, what| ValueError::NoColumn {
        path: path.to_owned(),
        flag,
        what,
    };
    let header = if options.header { names } else { &[] };
    let left_out =
        ignored(&options.ignore, header, names.len()).map_err(|what| refused("--ignore", what))?;
    let mut roles = vec![Role::Feature; names.len()];
    let mut assign = |flag: &'static str, wanted: &str, role: Role| {
        let at = place(wanted, flag, header, names.len()).map_err(|what| refused(flag, what))?;
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
