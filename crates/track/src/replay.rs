//! The event files of a run as the beginning of another one's, which did the same up to a step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use afterimage_files::{LARGE, read};
use protobuf::{Message, RepeatedField};
use tensorboard_proto::event::{Event, Event_oneof_what, SessionLog_SessionStatus};
use tensorboard_proto::summary::Summary_Value;
use tensorboard_rs::masked_crc32c::masked_crc32c;

use crate::groups::card;
use crate::tensorboard::text_value;
use crate::{TensorBoard, TrackError, code_block};

/// Bytes around the data of an event: its length with a checksum, and a checksum of the data.
const HEAD: usize = 12;
const TAIL: usize = 4;

/// What of an event file is asked for.
enum Found {
    /// What was measured at a step.
    Measured(u64),
    /// What was measured from a step on is not part of the run: it went on from a checkpoint before.
    GoneOn(u64),
    /// Nothing of the run.
    Other,
}

/// Writes a new event file in `to` with all that the event files of the run in `from` hold up to `step`:
/// scalars, histograms and pictures with their times, and groups of scalars. In place of that run's settings
/// it has the text of `config`; of that run's session of the HParams tab it has nothing.
///
/// `from` may be written meanwhile: an event that is not whole ends its file. A folder that is not there holds
/// no events.
///
/// # Errors
/// A file that cannot be read or written, or is damaged.
pub fn replay(from: &Path, to: &Path, step: u64, config: &str) -> Result<(), TrackError> {
    let files = event_files(from)?;
    // Of each time that the run went on: its place among all events, and its first step.
    let mut gone_on: Vec<(usize, u64)> = Vec::new();
    let mut place = 0;
    for file in &files {
        each_event(file, |event, _| {
            if let Found::GoneOn(first) = found(event) {
                gone_on.push((place, first));
            }
            place += 1;
            Ok(())
        })?;
    }
    let stays = |place: usize, at: u64| {
        let later = gone_on.iter().filter(|(when, _)| *when > place);
        at <= step
            && later
                .map(|(_, first)| *first)
                .min()
                .is_none_or(|first| at < first)
    };
    let mut board = TensorBoard::create(to, None)?;
    let mut place = 0;
    let path = board.path().to_owned();
    let written = |error| TrackError::io("write", &path)(error);
    for file in &files {
        each_event(file, |event, bytes| {
            let here = place;
            place += 1;
            match found(event) {
                Found::Measured(at) if stays(here, at) => {}
                _ => return Ok(()),
            }
            let own: io::Result<Vec<u8>> = match with_config(event, config) {
                Some(values) if values.is_empty() => return Ok(()),
                Some(values) => {
                    let mut event = event.clone();
                    event
                        .mut_summary()
                        .set_value(RepeatedField::from_vec(values));
                    event.write_to_bytes().map_err(io::Error::from)
                }
                None => Ok(bytes.to_vec()),
            };
            own.and_then(|bytes| board.framed(&bytes)).map_err(written)
        })?;
    }
    board.drained().map_err(written)
}

/// The event files in `folder` in the order in which TensorBoard reads them.
fn event_files(folder: &Path) -> Result<Vec<PathBuf>, TrackError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(TrackError::io("list", folder))? {
        let entry = entry.map_err(TrackError::io("list", folder))?;
        if entry.file_name().to_string_lossy().contains("tfevents") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Calls `take` with each whole event of `file` and its bytes.
fn each_event(
    file: &Path,
    mut take: impl FnMut(&Event, &[u8]) -> Result<(), TrackError>,
) -> Result<(), TrackError> {
    let bytes = read(file, LARGE)?;
    let damaged = |why: &str| TrackError::Events {
        path: file.to_owned(),
        why: why.to_owned(),
    };
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
    let mut rest = bytes.as_slice();
    while let Some((head, behind)) = rest.split_at_checked(HEAD) {
        let (length, sum) = head.split_at(HEAD - TAIL);
        if masked_crc32c(length) != number(sum) {
            return Err(damaged("a length does not match its checksum"));
        }
        let length = length
            .try_into()
            .map(u64::from_le_bytes)
            .unwrap_or_default();
        let whole = usize::try_from(length).ok().and_then(|length| {
            let (data, behind) = behind.split_at_checked(length)?;
            let (sum, behind) = behind.split_at_checked(TAIL)?;
            Some((data, sum, behind))
        });
        let Some((data, sum, behind)) = whole else {
            return Ok(());
        };
        if masked_crc32c(data) != number(sum) {
            return Err(damaged("an event does not match its checksum"));
        }
        let event = Event::parse_from_bytes(data).map_err(|error| damaged(&error.to_string()))?;
        take(&event, data)?;
        rest = behind;
    }
    Ok(())
}

fn found(event: &Event) -> Found {
    let step = u64::try_from(event.get_step()).unwrap_or(0);
    match &event.what {
        Some(Event_oneof_what::summary(_)) => Found::Measured(step),
        Some(Event_oneof_what::session_log(log))
            if log.get_status() == SessionLog_SessionStatus::START =>
        {
            Found::GoneOn(step)
        }
        _ => Found::Other,
    }
}

/// The values of an event for a run of `config`; `None` if they are the same as they are.
fn with_config(event: &Event, config: &str) -> Option<Vec<Summary_Value>> {
    let values = event.get_summary().get_value();
    let settings = card("config");
    let differs = |value: &Summary_Value| {
        value.get_tag().starts_with("_hparams_/") || value.get_tag() == settings
    };
    if !values.iter().any(differs) {
        return None;
    }
    let own = values.iter().filter_map(|value| match value.get_tag() {
        tag if tag == settings => {
            let mut text = text_value(&code_block(config));
            text.set_tag(settings.clone());
            Some(text)
        }
        _ if differs(value) => None,
        _ => Some(value.clone()),
    });
    Some(own.collect())
}
