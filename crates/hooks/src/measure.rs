//! Measurements that plugins and the loop put on record, and the sinks that receive them.

use std::collections::BTreeMap;

use crate::clock::Clock;
use crate::context::Outcome;

/// One measured thing, without its time.
#[derive(Debug, Clone, PartialEq)]
pub enum Measurement {
    /// A number over time.
    Scalar(f64),
    /// A distribution over time, given by its values.
    Histogram(Vec<f64>),
    /// A picture, 8-bit RGB in row-major order.
    Image {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// `width · height · 3` bytes.
        rgb: Vec<u8>,
    },
    /// Text, Markdown where the sink renders it.
    Text(String),
    /// Rows of a table, appended to the table of the tag's name.
    Table(Table),
}

/// Columns of equal length, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Columns by name.
    pub columns: Vec<(String, Column)>,
}

impl Table {
    /// A table of these columns, in this order.
    pub fn of<'n>(columns: impl IntoIterator<Item = (&'n str, Column)>) -> Self {
        let columns = columns.into_iter();
        Self {
            columns: columns
                .map(|(name, column)| (name.to_owned(), column))
                .collect(),
        }
    }

    /// The column of this name, where there is one.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let mut columns = self.columns.iter();
        columns
            .find(|(other, _)| other == name)
            .map(|(_, column)| column)
    }

    /// Number of rows: that of the first column.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }
}

/// One column of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers; NaN stands for "not defined".
    F64(Vec<f64>),
    /// Whole numbers.
    I64(Vec<i64>),
    /// Words.
    Text(Vec<String>),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::F64(v) => v.len(),
            Column::I64(v) => v.len(),
            Column::Text(v) => v.len(),
        }
    }

    /// Whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A measurement with its tag, time and author.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Slash-separated name, for example `unitmem/train/encoder.layer1.act`.
    pub tag: String,
    /// Epochs finished; 0 before the first step.
    pub epoch: u32,
    /// Optimizer steps finished; the horizontal axis.
    pub step: u64,
    /// Id of the plugin that measured, or `loop`.
    pub author: String,
    /// What was measured.
    pub value: Measurement,
}

/// Receives the records of a run: TensorBoard files, tables, a report.
pub trait Sink: Send {
    /// Name for messages, for example `tensorboard`.
    fn name(&self) -> &str;

    /// Takes one record. A sink ignores kinds of measurements that it cannot show.
    ///
    /// # Errors
    /// A full disk or an unwritable folder; the run goes on. The sink is asked again, with the next records
    /// and before each checkpoint.
    fn write(&mut self, record: &Record) -> std::io::Result<()>;

    /// Makes everything written so far readable by others.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn flush(&mut self) -> std::io::Result<()>;

    /// The run has ended as `outcome` says, and no record follows; as [`flush`](Self::flush) unless told. A sink
    /// that hands records on in its own time waits here until they have arrived, for some seconds at most.
    ///
    /// # Errors
    /// As for [`write`](Self::write); what was not written then is lost.
    fn close(&mut self, outcome: &Outcome) -> std::io::Result<()> {
        let _ = outcome;
        self.flush()
    }

    /// Records that it could not write and does not hold to try again; `None`, the default, where each whose
    /// [`write`](Self::write) failed is such a one.
    fn lost(&self) -> Option<u64> {
        None
    }
}

/// Collects records, and keeps the last scalar of each tag for the summary.
#[derive(Default)]
pub struct Recorder {
    pending: Vec<Record>,
    latest: BTreeMap<String, (u64, f64)>,
}

impl Recorder {
    /// Puts `value` on record under `tag` at the time of `clock`.
    pub fn record(
        &mut self,
        author: &str,
        clock: &Clock,
        tag: impl Into<String>,
        value: Measurement,
    ) {
        let tag = tag.into();
        if let Measurement::Scalar(number) = value {
            self.latest.insert(tag.clone(), (clock.step, number));
        }
        self.pending.push(Record {
            tag,
            epoch: clock.epoch,
            step: clock.step,
            author: author.to_owned(),
            value,
        });
    }

    /// Takes all records that no sink has seen.
    pub fn drain(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.pending)
    }

    /// The last value of every scalar, with its step, by tag.
    pub fn latest(&self) -> &BTreeMap<String, (u64, f64)> {
        &self.latest
    }

    /// Restores the last values after a resume.
    pub fn restore_latest(&mut self, latest: BTreeMap<String, (u64, f64)>) {
        self.latest = latest;
    }
}
