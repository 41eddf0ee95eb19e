//! Tables of a run, one Parquet file per tag and epoch.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use afterimage_files::below;
use afterimage_hooks::{Column, Measurement, Record, Sink, Table};

use crate::files::{self, TABLES, folder_of};
use crate::parquet_file::{append, check};
use crate::{TrackError, read_table, write_table};

/// Writes tables to `tables/<tag with slashes as dots>/epoch-0007.parquet` in a run directory.
///
/// Every row gets the record's `epoch` and `step` as first columns. Tables of one tag and epoch
/// are put behind each other. A file appears at [`flush`](Sink::flush), whole.
pub struct Tables {
    root: PathBuf,
    /// Rows not yet on disk, by file.
    pending: BTreeMap<PathBuf, Table>,
    /// Which tag a folder belongs to.
    tags: BTreeMap<String, String>,
    /// Tables whose earlier rows could not be read.
    lost: u64,
}

impl Tables {
    /// Opens the tables of the run directory `run`.
    ///
    /// With `resume_step`, the step of the checkpoint that a resumed run goes on from, rows of
    /// later steps are dropped.
    ///
    /// # Errors
    /// Tables of another run without `resume_step`, an unwritable folder.
    pub fn create(run: &Path, resume_step: Option<u64>) -> Result<Self, TrackError> {
        let root = run.join(TABLES);
        fs::create_dir_all(&root).map_err(TrackError::io("make the folder", &root))?;
        let found = files_in(&root)?;
        match resume_step {
            Some(step) => found.iter().try_for_each(|path| cut(path, step))?,
            None if !found.is_empty() => return Err(TrackError::NotEmpty(root)),
            None => {}
        }
        Ok(Self {
            root,
            pending: BTreeMap::new(),
            tags: BTreeMap::new(),
            lost: 0,
        })
    }

    fn take(&mut self, record: &Record, table: &Table) -> Result<(), TrackError> {
        let malformed = |why: String| TrackError::malformed(&record.tag, why);
        let stamped = stamp(record, table)?;
        let folder = folder_of(&record.tag);
        let owner = self
            .tags
            .entry(folder.clone())
            .or_insert_with(|| record.tag.clone());
        if *owner != record.tag {
            return Err(malformed(format!(
                "its folder `{folder}` belongs to `{owner}`; rename one of them"
            )));
        }
        let path = self
            .root
            .join(folder)
            .join(format!("epoch-{:04}.parquet", record.epoch));
        if !self.pending.contains_key(&path) && path.exists() {
            let before = read_table(&path).inspect_err(|_| self.lost += 1)?;
            self.pending.insert(path.clone(), before);
        }
        match self.pending.get_mut(&path) {
            None => {
                self.pending.insert(path, stamped);
            }
            Some(rows) => extend(rows, stamped).map_err(malformed)?,
        }
        Ok(())
    }
}

impl Sink for Tables {
    fn name(&self) -> &str {
        "tables"
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        match &record.value {
            Measurement::Table(table) => Ok(self.take(record, table)?),
            _ => Ok(()),
        }
    }

    /// Tables that cannot be written wait for the next time.
    fn flush(&mut self) -> io::Result<()> {
        let write = |path: &Path, table: &Table| {
            if let Some(folder) = path.parent() {
                files::make_folder(folder)?;
            }
            write_table(path, table)
        };
        let mut failed = None;
        self.pending.retain(|path, table| {
            // Where one could not be written, there is no room for the next.
            if failed.is_some() {
                return true;
            }
            let error = write(path, table).err();
            let waits = error.is_some();
            failed = error;
            waits
        });
        failed.map_or(Ok(()), |error: TrackError| Err(error.into()))
    }

    fn lost(&self) -> Option<u64> {
        Some(self.lost)
    }
}

/// Puts the columns `epoch` and `step` in front. A table that has them already must agree.
fn stamp(record: &Record, table: &Table) -> Result<Table, TrackError> {
    check(table).map_err(|why| TrackError::malformed(&record.tag, why))?;
    let rows = table.rows();
    let step = i64::try_from(record.step).unwrap_or(i64::MAX);
    let stamps = [("epoch", i64::from(record.epoch)), ("step", step)];
    let mut columns: Vec<(String, Column)> = stamps
        .iter()
        .map(|(name, time)| ((*name).to_owned(), Column::I64(vec![*time; rows])))
        .collect();
    for (name, column) in &table.columns {
        match stamps.iter().position(|(stamp, _)| stamp == name) {
            None => columns.push((name.clone(), column.clone())),
            Some(index) if columns[index].1 == *column => {}
            Some(_) => {
                let why = format!(
                    "the column `{name}` is added from the record's time; rename the table's own"
                );
                return Err(TrackError::malformed(&record.tag, why));
            }
        }
    }
    Ok(Table { columns })
}

fn extend(rows: &mut Table, more: Table) -> Result<(), String> {
    let names = |table: &Table| {
        table
            .columns
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let (had, got) = (names(rows), names(&more));
    if had != got {
        return Err(format!(
            "its columns are {got:?} and those of the rows before are {had:?}"
        ));
    }
    let same = |a: &Column, b: &Column| std::mem::discriminant(a) == std::mem::discriminant(b);
    let types = rows.columns.iter().zip(&more.columns);
    if let Some(((name, _), _)) = types.into_iter().find(|((_, a), (_, b))| !same(a, b)) {
        return Err(format!(
            "the type of column `{name}` differs from the rows before"
        ));
    }
    for ((_, column), (_, behind)) in rows.columns.iter_mut().zip(more.columns) {
        append(column, behind)?;
    }
    Ok(())
}

/// The Parquet files below `root`, by tag and epoch; all are plain files, and no link leads out.
pub(crate) fn files_in(root: &Path) -> Result<Vec<PathBuf>, TrackError> {
    let mut found = Vec::new();
    if !root.exists() {
        return Ok(found);
    }
    for folder in fs::read_dir(root).map_err(TrackError::io("list", root))? {
        let folder = folder.map_err(TrackError::io("list", root))?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(&folder).map_err(TrackError::io("list", &folder))? {
            let path = file.map_err(TrackError::io("list", &folder))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "parquet")
            {
                let run = root.parent().unwrap_or(root);
                found.push(below(run, path.strip_prefix(run).unwrap_or(&path))?);
            }
        }
    }
    found.sort_by(|a, b| files::by_epoch(a, b));
    Ok(found)
}

/// Drops the rows of steps after `step`, and the file with its last row.
fn cut(path: &Path, step: u64) -> Result<(), TrackError> {
    let mut table = read_table(path)?;
    let Some(Column::I64(steps)) = table.column("step") else {
        let why = "there is no whole-numbered column `step`, so it is no table of a run".to_owned();
        return Err(TrackError::Table {
            path: path.to_owned(),
            why,
        });
    };
    let keep: Vec<bool> = steps
        .iter()
        .map(|&at| u64::try_from(at).is_ok_and(|at| at <= step))
        .collect();
    if keep.iter().all(|&kept| kept) {
        return Ok(());
    }
    if !keep.contains(&true) {
        return fs::remove_file(path).map_err(TrackError::io("remove", path));
    }
    for (_, column) in &mut table.columns {
        let mut rows = keep.iter();
        let mut kept = || rows.next().copied().unwrap_or(false);
        match column {
            Column::F64(values) => values.retain(|_| kept()),
            Column::I64(values) => values.retain(|_| kept()),
            Column::Text(values) => values.retain(|_| kept()),
        }
    }
    write_table(path, &table)
}
