//! Valuing a table file: read, value, write, tell. What `afterimage value` does, as a library.

mod heat;
mod histogram;
mod near;
mod page;
mod summary;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use afterimage_files::{Partial, PartialError, machine_memory};
use afterimage_value::{
    By, CellFiles, FirstCells, Formulas, LabelCheck, NearDuplicates, Prediction, Ranked,
    ReadOptions, ReadTable, Repair, RowValue, Score, Settings, Target, Valuation, ValueError,
    Visit, ZScores, check_labels, check_learners, copy_bound, memory_bound, near_duplicates,
    oddities, read_table, readable_bytes, value, visit_cells, write_fixes, write_rows,
};

/// The HTML page of a valuation.
pub const PAGE: &str = "report.html";

/// Repairs that are proposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// What is put in place.
    pub repair: Repair,
    /// Which cells are replaced.
    pub by: FixBy,
}

/// Which cells are taken for wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FixBy {
    /// Those at least this many standard deviations from the mean of their class.
    Distance(f64),
    /// This share of all cells: those of the lowest values.
    LowestValues(f64),
}

/// A table file and what is to be done with it.
#[derive(Debug, Clone)]
pub struct ValueJob {
    /// The table.
    pub table: PathBuf,
    /// How it is read.
    pub read: ReadOptions,
    /// How it is valued.
    pub settings: Settings,
    /// Where the results go: a folder that does not exist or is empty. Without, nothing is written.
    pub out: Option<PathBuf>,
    /// Repairs, which go to `out`.
    pub fix: Option<Fix>,
    /// Rows and cells in the lists of the lowest.
    pub top: usize,
    /// Bytes that may be used; any number without.
    pub memory: Option<usize>,
}

/// A job whose table is read and checked.
pub struct PreparedValue {
    job: ValueJob,
    table: ReadTable,
    memory: usize,
    /// The place of the results, once it is taken.
    folder: Option<Partial>,
    near: Option<NearDuplicates>,
}

/// A finished valuation.
pub struct Valued {
    /// The table.
    pub table: ReadTable,
    /// Values of rows and cells.
    pub values: Valuation,
    /// Values of rows.
    pub rows: Vec<RowValue>,
    /// What learners that have not seen it say of each row.
    pub said: Vec<Prediction>,
    /// How well wrong labels are found; none for numbers as labels and for few rows.
    pub check: Option<LabelCheck>,
    /// Rows that are equal to another, or nearly.
    pub near: NearDuplicates,
    /// The distances of the cells.
    pub z: ZScores,
    /// The rows of the lowest Data-OOB, lowest first.
    pub lowest_rows: Vec<usize>,
    /// The cells of the lowest value, lowest first.
    pub lowest_cells: Vec<Ranked>,
    /// The cells that lie farthest from the mean of their class, farthest first.
    pub farthest_cells: Vec<Ranked>,
    /// Number of cells that a repair is proposed for.
    pub fixes: Option<usize>,
    /// Cells of the written files that a spreadsheet would run.
    pub formulas: Formulas,
    job: ValueJob,
}

impl ValueJob {
    /// Reads the table and checks everything that can be wrong before work starts.
    ///
    /// # Errors
    /// A table that cannot be used, a setting out of range, a folder that is not empty, more memory
    /// than allowed.
    pub fn prepare(self) -> Result<PreparedValue, ValueError> {
        self.settings.check()?;
        if let Some(out) = &self.out {
            check_empty(out)?;
        }
        match self.fix.map(|fix| fix.by) {
            Some(_) if self.out.is_none() => {
                return Err(ValueError::Setting(
                    "--fix writes a repaired copy, so it needs --out DIR".to_owned(),
                ));
            }
            Some(FixBy::Distance(z)) if z.is_nan() || z <= 0.0 => {
                return Err(ValueError::Setting(format!(
                    "--fix-z is {z}; it must be above 0, as in --fix-z 4"
                )));
            }
            Some(FixBy::LowestValues(share)) if !(share > 0.0 && share <= 1.0) => {
                return Err(ValueError::Setting(format!(
                    "--fix-lowest is {share}; it is a share of the cells, above 0 and at most 1"
                )));
            }
            _ => {}
        }
        let mut table = read_table(&self.table, &self.read)?;
        let copy = self
            .fix
            .map_or(0, |_| copy_bound(&self.table, &table.problem));
        let memory = memory_bound(&table.problem, &self.settings) + copy;
        // What no machine like this one has is refused before it is tried.
        let machine = || machine_memory().and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(limit) = self.memory.or_else(machine)
            && memory > limit
        {
            return Err(ValueError::Memory {
                need: readable_bytes(memory),
                limit: readable_bytes(limit),
            });
        }
        let name = |row: usize| match table.problem.ids() {
            Some(ids) => ids[row].clone(),
            None => format!("row {}", row + 1),
        };
        if self.settings.score == Score::Soft
            && matches!(table.problem.target(), Target::Numbers(_))
        {
            table.notes.push(
                "--score soft changes nothing: the labels are numbers, and have no probabilities"
                    .to_owned(),
            );
        }
        let odd = oddities(&table.problem, &name);
        table.notes.extend(odd);
        Ok(PreparedValue {
            job: self,
            table,
            memory,
            folder: None,
            near: None,
        })
    }
}

impl PreparedValue {
    /// What was read and what will be done, in a few lines.
    pub fn describe(&self) -> String {
        summary::before(&self.job, &self.table, self.memory)
    }

    /// Number of learners that are fitted in all, those of the check of the labels among them.
    pub fn learners(&self) -> u32 {
        let settings = &self.job.settings;
        settings.learners + check_learners(&self.table.problem, settings)
    }

    /// Takes the place of the results before the work: nobody waits an hour for one that another process has
    /// taken.
    fn take_place(&mut self) -> Result<(), ValueError> {
        if let (Some(out), None) = (&self.job.out, &self.folder) {
            self.folder = Some(Partial::beside(out).map_err(partial)?);
        }
        Ok(())
    }

    /// Takes the place of the results and looks for near duplicates; otherwise [`run`](Self::run) does.
    ///
    /// # Errors
    /// Threads that do not start, a place that another process has taken.
    pub fn compare_rows(&mut self) -> Result<(), ValueError> {
        self.take_place()?;
        self.near = Some(near_duplicates(&self.table.problem, &self.job.settings)?);
        Ok(())
    }

    /// Values the table and writes the results. `progress` is told the number of learners done, of
    /// [`learners`](Self::learners).
    ///
    /// # Errors
    /// Threads that do not start, a full disk. A folder of results appears whole or not at all.
    pub fn run(mut self, progress: &dyn Fn(u32)) -> Result<Valued, ValueError> {
        self.take_place()?;
        let Self {
            job,
            table,
            folder,
            near,
            ..
        } = self;
        let problem = &table.problem;
        let near = match near {
            Some(near) => near,
            None => near_duplicates(problem, &job.settings)?,
        };
        let values = value(problem, &job.settings, progress)?;
        let rows = values.rows();
        let said = values.predictions(problem);
        let done = job.settings.learners;
        let check = check_labels(problem, &job.settings, &|more| progress(done + more))?;
        let z = values.distances(problem);
        let cells = problem.rows() * problem.columns().len();
        let mut lowest = FirstCells::new(By::Value, job.top, 0.0);
        let mut farthest = FirstCells::new(By::Distance, job.top, 0.0);
        let mut suspicious = job.fix.map(|fix| match fix.by {
            FixBy::Distance(least) => FirstCells::new(By::Distance, cells, least),
            FixBy::LowestValues(share) => {
                FirstCells::new(By::Value, (share * cells as f64).round() as usize, 0.0)
            }
        });
        let mut files = folder
            .as_ref()
            .map(|folder| CellFiles::new(folder.path(), &table));
        {
            let mut visitors: Vec<&mut dyn Visit> = vec![&mut lowest, &mut farthest];
            visitors.extend(suspicious.iter_mut().map(|v| v as &mut dyn Visit));
            visitors.extend(files.iter_mut().map(|v| v as &mut dyn Visit));
            visit_cells(problem, &values, &z, &mut visitors)?;
        }
        files.map_or(Ok(()), CellFiles::close)?;
        let suspicious = suspicious.map(FirstCells::into_cells);
        let mut valued = Valued {
            lowest_rows: lowest_rows(&rows),
            lowest_cells: lowest.into_cells(),
            farthest_cells: farthest.into_cells(),
            fixes: suspicious.as_ref().map(Vec::len),
            formulas: Formulas::default(),
            table,
            values,
            rows,
            said,
            check,
            near,
            z,
            job,
        };
        if let Some(folder) = folder {
            valued.formulas = valued.write(folder.path(), suspicious.as_deref())?;
            folder.finish().map_err(partial)?;
        }
        Ok(valued)
    }
}

impl Valued {
    /// The lists of the lowest, and where the results are.
    pub fn summary(&self) -> String {
        summary::after(self)
    }

    /// Number of labels that look wrong.
    pub fn suspects(&self) -> usize {
        self.said.iter().filter(|said| said.suspect).count()
    }

    /// The page with the heat map.
    pub fn page(&self) -> String {
        page::render(self)
    }

    /// The job that was done.
    pub fn job(&self) -> &ValueJob {
        &self.job
    }

    fn write(&self, folder: &Path, suspicious: Option<&[Ranked]>) -> Result<Formulas, ValueError> {
        let mut formulas = write_rows(folder, &self.table, &self.rows, &self.said, &self.near)?;
        if let (Some(fix), Some(cells)) = (self.job.fix, suspicious) {
            formulas = formulas.and(write_fixes(
                folder,
                &self.job.table,
                &self.job.read,
                &self.table,
                cells,
                fix.repair,
            )?);
        }
        let page = folder.join(PAGE);
        fs::write(&page, self.page()).map_err(ValueError::io("write", &page))?;
        Ok(formulas)
    }
}

/// Rows by Data-OOB, lowest first; of equals, the one of the lower marginal, then the first.
fn lowest_rows(rows: &[RowValue]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len())
        .filter(|&row| !rows[row].data_oob.value.is_nan())
        .collect();
    order.sort_by(|&a, &b| {
        let by_value = rows[a].data_oob.value.total_cmp(&rows[b].data_oob.value);
        by_value.then_with(|| rows[a].marginal.total_cmp(&rows[b].marginal))
    });
    order
}

fn check_empty(out: &Path) -> Result<(), ValueError> {
    // A folder cannot be made below a file.
    let above = out.ancestors().skip(1).find(|above| above.exists());
    if let Some(above) = above.filter(|above| !above.is_dir()) {
        return Err(ValueError::NoFolder {
            path: above.to_owned(),
        });
    }
    if !out.exists() {
        return Ok(());
    }
    let mut entries = fs::read_dir(out).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotADirectory => ValueError::NoFolder {
            path: out.to_owned(),
        },
        _ => ValueError::io("open", out)(error),
    })?;
    if entries.next().is_some() {
        return Err(ValueError::NotEmpty {
            path: out.to_owned(),
        });
    }
    Ok(())
}

/// The error of a folder that is to become `out`.
fn partial(error: PartialError) -> ValueError {
    match error {
        PartialError::Io { path, verb, source } => ValueError::Io { path, verb, source },
        other => ValueError::Setting(format!("--out: {other}")),
    }
}
