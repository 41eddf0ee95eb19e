//! Event files for TensorBoard.
//!
//! The record writer and the messages are those of `tensorboard-rs`; the file, its name, its
//! buffer and the time of each event are made here. Its own `FileWriter` writes over another
//! writer's file that was opened in the same second, and panics when the disk is full.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use afterimage_hooks::{Measurement, Record, Sink};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use protobuf::{Message, RepeatedField};
use tensorboard_proto::event::{Event, Event_oneof_what, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::layout;
use tensorboard_proto::summary::{
    HistogramProto, Summary, Summary_Image, Summary_Value, SummaryMetadata,
    SummaryMetadata_PluginData,
};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;

use crate::groups::card;
use crate::held::Held;
use crate::{Bins, Category, TrackError};

/// Buckets of a histogram. TensorBoard redraws them in 30 of its own that span all steps, so
/// finer ones lose less when the range moves during training.
const BUCKETS: usize = 90;

/// Writes records to one TensorBoard event file.
///
/// Scalars go to the scalars tab (as 32-bit floats, TensorBoard's own precision), histograms,
/// images and text to theirs. Tables are left to other sinks.
pub struct TensorBoard {
    path: PathBuf,
    file: Held,
    /// Whether cards are named with their group in front of their tag.
    grouped: bool,
}

impl TensorBoard {
    /// Opens a new event file in `dir`, which is made if it is missing.
    ///
    /// `resume_step` is the step of the checkpoint that a resumed run goes on from. TensorBoard
    /// then drops what earlier files of the folder hold of later steps, and keeps that step.
    ///
    /// # Errors
    /// An unwritable folder or a full disk.
    pub fn create(dir: &Path, resume_step: Option<u64>) -> Result<Self, TrackError> {
        fs::create_dir_all(dir).map_err(TrackError::io("make the folder", dir))?;
        let (path, file) = new_file(dir)?;
        let mut sink = Self::over(path.clone(), file);
        sink.begin(resume_step)
            .map_err(TrackError::io("write", &path))?;
        Ok(sink)
    }

    fn over(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file: Held::new(file),
            grouped: false,
        }
    }

    /// Names the cards of records with one of a few groups in front of their tag, as in
    /// `1 training/loss/step`: TensorBoard folds cards by what stands before the first slash.
    pub fn grouped(mut self) -> Self {
        self.grouped = true;
        self
    }

    fn begin(&mut self, resume_step: Option<u64>) -> io::Result<()> {
        self.event(
            0,
            Event_oneof_what::file_version("brain.Event:2".to_owned()),
        )?;
        if let Some(step) = resume_step {
            let mut log = SessionLog::new();
            log.set_status(SessionLog_SessionStatus::START);
            // TensorBoard keeps the steps below the session's first step.
            self.event(step.saturating_add(1), Event_oneof_what::session_log(log))?;
        }
        self.file.drain()
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says which scalars the custom-scalars tab draws together.
    ///
    /// # Errors
    /// A full disk.
    pub fn custom_scalars(&mut self, categories: &[Category]) -> io::Result<()> {
        let mut message = layout::Layout::new();
        for category in categories {
            let mut shown = layout::Category::new();
            shown.set_title(category.title.clone());
            for chart in &category.charts {
                let mut lines = layout::MultilineChartContent::new();
                lines.set_tag(RepeatedField::from_vec(chart.tags.clone()));
                let mut drawn = layout::Chart::new();
                drawn.set_title(chart.title.clone());
                drawn.set_multiline(lines);
                shown.mut_chart().push(drawn);
            }
            message.mut_category().push(shown);
        }
        let bytes = message.write_to_bytes()?;
        let mut value = Summary_Value::new();
        value.set_metadata(plugin("custom_scalars"));
        value.set_tensor(strings(vec![bytes], &[]));
        self.value(0, "custom_scalars__config__", value)?;
        self.file.drain()
    }

    pub(crate) fn value(
        &mut self,
        step: u64,
        tag: &str,
        mut value: Summary_Value,
    ) -> io::Result<()> {
        value.set_tag(tag.to_owned());
        let mut summary = Summary::new();
        summary.mut_value().push(value);
        self.event(step, Event_oneof_what::summary(summary))
    }

    fn scalar(&mut self, step: u64, tag: &str, number: f64) -> io::Result<()> {
        let mut value = Summary_Value::new();
        value.set_simple_value(number as f32);
        self.value(step, tag, value)
    }

    fn event(&mut self, step: u64, what: Event_oneof_what) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut event = Event::new();
        event.set_wall_time(now.as_secs_f64());
        event.set_step(i64::try_from(step).unwrap_or(i64::MAX));
        event.what = Some(what);
        self.framed(&event.write_to_bytes()?)
    }

    /// Writes an event that is there as bytes.
    pub(crate) fn framed(&mut self, event: &[u8]) -> io::Result<()> {
        let mut framed = Vec::new();
        RecordWriter::new(&mut framed).write(event)?;
        self.file.push(&framed)
    }

    /// Writes what waits.
    pub(crate) fn drained(&mut self) -> io::Result<()> {
        self.file.drain()
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        let mut value = Summary_Value::new();
        let tag = match self.grouped {
            true => card(&record.tag),
            false => record.tag.clone(),
        };
        match &record.value {
            Measurement::Scalar(number) => return self.scalar(record.step, &tag, *number),
            Measurement::Histogram(values) => {
                let bins = Bins::of(values, BUCKETS);
                if bins.not_finite > 0 {
                    let tag = format!("{tag}/not_finite");
                    self.scalar(record.step, &tag, bins.not_finite as f64)?;
                }
                if bins.counts.is_empty() {
                    return Ok(());
                }
                value.set_histo(histogram(&bins, values));
            }
            Measurement::Image { width, height, rgb } => {
                value.set_image(picture(&record.tag, *width, *height, rgb)?);
            }
            Measurement::Text(text) => value = text_value(text),
            Measurement::Table(_) => return Ok(()),
        }
        self.value(record.step, &tag, value)
    }

    fn named(&self, error: io::Error) -> io::Error {
        // A malformed record says so itself; the file has no part in it.
        if error.kind() == io::ErrorKind::InvalidInput {
            return error;
        }
        TrackError::io("write", &self.path)(error).into()
    }
}

impl Sink for TensorBoard {
    fn name(&self) -> &str {
        "tensorboard"
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.record(record).map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.drain().map_err(|error| self.named(error))
    }

    fn lost(&self) -> Option<u64> {
        Some(self.file.lost())
    }
}

/// Text that TensorBoard shows with its line breaks, such as a configuration file.
pub fn code_block(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Makes a file that no other writer has. TensorBoard reads the files of a folder in the order of
/// their names, so the name sorts behind all that are there, even if the clock was set back.
fn new_file(dir: &Path) -> Result<(PathBuf, File), TrackError> {
    const PREFIX: &str = "events.out.tfevents.";
    let mut second = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let entries = fs::read_dir(dir).map_err(TrackError::io("list", dir))?;
    for entry in entries {
        let name = entry.map_err(TrackError::io("list", dir))?.file_name();
        let name = name.to_string_lossy();
        let stamp = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('.').next());
        if let Some(taken) = stamp.and_then(|digits| digits.parse::<u64>().ok()) {
            second = second.max(taken);
        }
    }
    let mut counter = 0;
    loop {
        let path = dir.join(format!("{PREFIX}{second:010}.{counter:04}.afterimage"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => counter += 1,
            Err(error) => return Err(TrackError::io("make", &path)(error)),
        }
    }
}

/// A text without its tag.
pub(crate) fn text_value(text: &str) -> Summary_Value {
    let mut value = Summary_Value::new();
    value.set_metadata(plugin("text"));
    value.set_tensor(strings(vec![text.as_bytes().to_vec()], &[1]));
    value
}

pub(crate) fn plugin(name: &str) -> SummaryMetadata {
    let mut data = SummaryMetadata_PluginData::new();
    data.set_plugin_name(name.to_owned());
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(data);
    metadata
}

fn strings(values: Vec<Vec<u8>>, shape: &[i64]) -> TensorProto {
    let mut dims = TensorShapeProto::new();
    for size in shape {
        let mut dim = TensorShapeProto_Dim::new();
        dim.set_size(*size);
        dims.mut_dim().push(dim);
    }
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(dims);
    tensor.set_string_val(RepeatedField::from_vec(values));
    tensor
}

fn histogram(bins: &Bins, values: &[f64]) -> HistogramProto {
    let finite = || values.iter().filter(|v| v.is_finite());
    let mut message = HistogramProto::new();
    message.set_min(bins.low);
    message.set_max(bins.high);
    message.set_num(bins.total() as f64);
    message.set_sum(finite().sum());
    message.set_sum_squares(finite().map(|v| v * v).sum());
    message.set_bucket_limit((1..=bins.counts.len()).map(|i| bins.edge(i)).collect());
    message.set_bucket(bins.counts.iter().map(|&n| n as f64).collect());
    message
}

fn picture(tag: &str, width: u32, height: u32, rgb: &[u8]) -> Result<Summary_Image, TrackError> {
    let too_large =
        |_| TrackError::malformed(tag, "the picture is wider or higher than 2^31 pixels");
    let mut message = Summary_Image::new();
    message.set_width(i32::try_from(width).map_err(too_large)?);
    message.set_height(i32::try_from(height).map_err(too_large)?);
    message.set_colorspace(3);
    message.set_encoded_image_string(png(tag, width, height, rgb)?);
    Ok(message)
}

/// Encodes 8-bit RGB in row-major order.
///
/// # Errors
/// A number of bytes that is not `width · height · 3`, or an empty picture.
pub(crate) fn png(tag: &str, width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, TrackError> {
    let expected = u64::from(width) * u64::from(height) * 3;
    if rgb.len() as u64 != expected || expected == 0 {
        let why = format!(
            "a picture of {width} × {height} pixels needs {expected} bytes of RGB and more than none, not {}",
            rgb.len()
        );
        return Err(TrackError::malformed(tag, why));
    }
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| TrackError::malformed(tag, error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(step: u64) -> Record {
        let value = Measurement::Scalar(1.0);
        Record {
            tag: "loss/train".to_owned(),
            epoch: 1,
            step,
            author: "loop".to_owned(),
            value,
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() -> io::Result<()> {
        let full = OpenOptions::new().write(true).open("/dev/full")?;
        let mut sink = TensorBoard::over(PathBuf::from("/dev/full"), full);
        let mut result = sink.flush();
        for step in 0..10_000 {
            result = result.and(sink.write(&scalar(step)));
        }
        let error = result
            .and(sink.flush())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(
            error.contains("/dev/full") && error.contains("space"),
            "{error}"
        );
        Ok(())
    }

    #[test]
    fn a_picture_with_missing_bytes_is_malformed() {
        assert!(matches!(
            png("x", 2, 2, &[0; 11]),
            Err(TrackError::Malformed { .. })
        ));
        assert!(matches!(
            png("x", 0, 2, &[]),
            Err(TrackError::Malformed { .. })
        ));
        assert!(png("x", 2, 2, &[0; 12]).is_ok());
    }
}
