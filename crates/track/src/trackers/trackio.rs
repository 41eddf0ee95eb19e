//! Trackio's SQLite database, one file a project.
//!
//! Schema: Trackio's documentation, "Storage schema", and the columns `run_id` that it leaves out. Rows of `metrics`
//! hold the scalars of a step as a JSON object; a run is what has one `run_id`, whatever it is called. Trackio adds
//! the tables that are not made here when it first opens the file.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterimage_hooks::Outcome;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value, json};

use super::identity::Known;
use super::point::{Point, now};
use super::{Delivered, Tracker, failed, number, shown};
use crate::{HParam, TrackError};

/// How long a transaction waits for another process's.
const BUSY: Duration = Duration::from_secs(5);

/// Ends of project names that would share files with another project of Trackio.
const TAKEN: [&str; 8] = [
    "_system",
    "_configs",
    "_traces",
    "_artifacts",
    "_artifact_versions",
    "_artifact_aliases",
    "_run_artifact_links",
    "_external_run_artifact_links",
];

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS metrics (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        timestamp TEXT NOT NULL,
        run_name TEXT NOT NULL,
        step INTEGER NOT NULL,
        metrics TEXT NOT NULL,
        log_id TEXT,
        space_id TEXT
    );
    CREATE TABLE IF NOT EXISTS configs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL,
        run_name TEXT NOT NULL,
        config TEXT NOT NULL,
        created_at TEXT NOT NULL,
        UNIQUE(run_id)
    );";

const INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS idx_metrics_run_step ON metrics(run_id, step);
    CREATE INDEX IF NOT EXISTS idx_metrics_run_timestamp ON metrics(run_id, timestamp);
    CREATE INDEX IF NOT EXISTS idx_configs_run_name ON configs(run_name);";

/// Milliseconds since 1970 as Trackio writes a time.
const TIME: &str = "strftime('%Y-%m-%dT%H:%M:%f', ?1 / 1000.0, 'unixepoch') || '+00:00'";

/// Writes the rows of one run.
pub(crate) struct Trackio {
    folder: PathBuf,
    /// Whether the folder is Trackio's own, which is made where it is missing.
    own: bool,
    path: PathBuf,
    run: Known,
    title: String,
    resume_step: Option<u64>,
    cut: bool,
    open: Option<Connection>,
    /// Step and tag of the points that were there when the file was opened.
    there: BTreeSet<(u64, String)>,
}

/// Trackio's own folder, as its Python package finds it.
pub(super) fn default_folder() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("TRACKIO_DIR") {
        return Some(dir.into());
    }
    let cache = || {
        let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(set("HOME")?).join(".cache"));
        Some(cache.or_else(home)?.join("huggingface"))
    };
    let hub = set("HF_HOME").map(PathBuf::from).or_else(cache)?;
    Some(hub.join("trackio"))
}

/// Why a project cannot be called `name`.
pub(super) fn project_problem(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 200 || !name.chars().all(plain) {
        return Some(format!(
            "{name:?} must be 1 to 200 letters, digits, '-' and '_'; it names a file"
        ));
    }
    let taken = TAKEN
        .iter()
        .find(|end| name.len() > end.len() && name.ends_with(**end));
    match (taken, name.starts_with("registry-")) {
        (Some(end), _) => Some(format!(
            "{name:?} ends with {end:?}, which Trackio keeps to itself"
        )),
        (None, true) => Some(format!(
            "{name:?} begins with \"registry-\", which Trackio keeps to itself"
        )),
        (None, false) => None,
    }
}

impl Trackio {
    pub(crate) fn new(
        dir: Option<&Path>,
        project: &str,
        run: Known,
        name: Option<&str>,
        resume_step: Option<u64>,
    ) -> Result<Self, TrackError> {
        let folder = dir.map(Path::to_owned).or_else(default_folder);
        let folder = folder.ok_or_else(|| {
            let why = "neither TRACKIO_DIR nor HOME says where its folder is; set `dir`";
            failed("Trackio", project, why)
        })?;
        Ok(Self {
            own: dir.is_none(),
            path: folder.join(format!("{project}.db")),
            folder,
            title: run.title(name),
            run,
            resume_step,
            cut: false,
            open: None,
            there: BTreeSet::new(),
        })
    }

    fn why(&self) -> impl Fn(rusqlite::Error) -> TrackError + use<> {
        let path = shown(&self.path);
        move |error| failed("Trackio", &path, error.to_string())
    }

    fn connect(&self) -> Result<Connection, TrackError> {
        if self.own {
            let made = std::fs::create_dir_all(&self.folder);
            made.map_err(TrackError::io("make the folder", &self.folder))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let why = self.why();
        let base = Connection::open_with_flags(&self.path, flags).map_err(&why)?;
        base.busy_timeout(BUSY).map_err(&why)?;
        // As Trackio opens it: readers are not kept out by a writer.
        base.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
            .map_err(&why)?;
        Ok(base)
    }

    /// Makes the tables, cuts the run back and notes what is left of it, all or nothing.
    fn prepare(&mut self, base: &mut Connection) -> Result<(), TrackError> {
        let why = self.why();
        let change = begin(base).map_err(&why)?;
        change.execute_batch(TABLES).map_err(&why)?;
        let columns = "SELECT COUNT(*) FROM pragma_table_info('metrics') WHERE name = 'run_id'";
        let with_ids: u32 = change
            .query_row(columns, [], |row| row.get(0))
            .map_err(&why)?;
        if with_ids == 0 {
            let old = "it was written by a Trackio before 0.24; open it once with a newer one \
                       (`trackio list projects`), or name another project";
            return Err(failed("Trackio", &shown(&self.path), old));
        }
        change.execute_batch(INDEXES).map_err(&why)?;
        if !self.cut {
            match self.resume_step {
                Some(step) => change.execute(
                    "DELETE FROM metrics WHERE run_id = ?1 AND step > ?2",
                    params![self.run.id, whole(step)],
                ),
                None => change.execute(
                    "DELETE FROM metrics WHERE run_id = ?1",
                    params![self.run.id],
                ),
            }
            .map_err(&why)?;
        }
        let config = format!(
            "INSERT OR IGNORE INTO configs (created_at, run_id, run_name, config) \
             VALUES ({TIME}, ?2, ?3, json_set(?4, '$._Created', {TIME}))"
        );
        let settings = settings(&self.run).to_string();
        change
            .execute(
                &config,
                params![whole(now()), self.run.id, self.title, settings],
            )
            .map_err(&why)?;
        let there = points(&change, &self.run.id).map_err(&why)?;
        change.commit().map_err(&why)?;
        self.there = there;
        self.cut = true;
        Ok(())
    }

    fn insert(&self, change: &Transaction<'_>, points: &[Point]) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO metrics (timestamp, run_id, run_name, step, metrics) VALUES ({TIME}, ?2, ?3, ?4, ?5)"
        );
        let mut row = change.prepare(&sql)?;
        for (time, step, values) in rows(points, &self.there) {
            let values = Value::Object(values).to_string();
            row.execute(params![
                whole(time),
                self.run.id,
                self.title,
                whole(step),
                values
            ])?;
        }
        Ok(())
    }
}

impl Tracker for Trackio {
    fn begin(&mut self) -> Result<(), TrackError> {
        let mut base = self.connect()?;
        self.prepare(&mut base)?;
        self.open = Some(base);
        Ok(())
    }

    fn deliver(&mut self, points: &[Point]) -> Result<Delivered, TrackError> {
        let why = self.why();
        let Some(mut base) = self.open.take() else {
            return Err(failed("Trackio", &shown(&self.path), "it is not open"));
        };
        // SQLite writes on into a file that has lost its name.
        if !self.path.is_file() {
            return Err(failed("Trackio", &shown(&self.path), "the file is gone"));
        }
        let change = begin(&mut base).map_err(&why)?;
        self.insert(&change, points).map_err(&why)?;
        change.commit().map_err(&why)?;
        self.open = Some(base);
        Ok(Delivered::default())
    }

    fn end(&mut self, outcome: &Outcome) -> Result<(), TrackError> {
        // A run has no end there.
        let _ = outcome;
        self.open = None;
        Ok(())
    }
}

/// A transaction that is the only one to write from its beginning on.
fn begin(base: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    base.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Step and tag of all points of a run.
fn points(change: &Transaction<'_>, id: &str) -> rusqlite::Result<BTreeSet<(u64, String)>> {
    let sql =
        "SELECT step, key FROM metrics, json_each(CAST(metrics.metrics AS TEXT)) WHERE run_id = ?1";
    let mut all = change.prepare(sql)?;
    let read = all.query_map(params![id], |row| {
        let step: i64 = row.get(0)?;
        Ok((u64::try_from(step).unwrap_or(0), row.get(1)?))
    })?;
    read.collect()
}

/// The rows of points that are not `there`: time, step and values. A tag that is measured twice in a step begins
/// another row.
fn rows(points: &[Point], there: &BTreeSet<(u64, String)>) -> Vec<(u64, u64, Map<String, Value>)> {
    let mut rows: Vec<(u64, u64, Map<String, Value>)> = Vec::new();
    for point in points {
        if !there.is_empty() && there.contains(&(point.step, point.tag.clone())) {
            continue;
        }
        let value = number(point.value);
        match rows.last_mut() {
            Some((_, step, values)) if *step == point.step && !values.contains_key(&point.tag) => {
                values.insert(point.tag.clone(), value);
            }
            _ => {
                let mut values = Map::new();
                values.insert(point.tag.clone(), value);
                rows.push((point.time, point.step, values));
            }
        }
    }
    rows
}

/// What was set, as Trackio keeps it: keys that begin with `_` are its own.
fn settings(run: &Known) -> Value {
    let own = [
        ("_Username".to_owned(), Value::Null),
        ("_Group".to_owned(), Value::Null),
    ];
    let set = run.settings.iter().map(|(key, value)| {
        let value = match value {
            HParam::Number(x) => number(*x),
            HParam::Text(text) => json!(text),
            HParam::Flag(flag) => json!(flag),
        };
        (key.clone(), value)
    });
    Value::Object(set.chain(own).collect())
}
