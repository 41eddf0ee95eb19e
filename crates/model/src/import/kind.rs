//! What a file is that is no file of weights.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use afterimage_files::open_input;

/// Bytes at the start of a file that tell what it is.
const START: u64 = 512;
/// Where the end of an archive's list of entries is looked for: its comment has at most 64 KiB.
const END: u64 = 64 * 1024 + 22;
/// More than the lists of archives of weights take.
const LIST: u64 = 16 * 1024 * 1024;

/// What the file at `path` is, and what to do, where that is no file of weights for sure.
pub(super) fn other_kind(path: &Path) -> std::io::Result<Option<&'static str>> {
    let mut file = open_input(path)?;
    let mut start = Vec::new();
    file.by_ref().take(START).read_to_end(&mut start)?;
    if start.starts_with(b"PK\x03\x04") {
        return Ok(is_torchscript(&mut file)?.then_some(
            "it is an archive of TorchScript, a program with its weights; save the weights alone, \
             as in `torch.save(torch.jit.load(FILE).state_dict(), \"weights.pth\")`",
        ));
    }
    Ok(of_start(&start))
}

fn of_start(start: &[u8]) -> Option<&'static str> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let tells: [(bool, &str); 6] = [
        (
            text.starts_with(b"version https://git-lfs"),
            "it is a pointer of Git LFS in place of the file; fetch the file with `git lfs pull`",
        ),
        (
            text.starts_with(b"<!doctype")
                || text.starts_with(b"<html")
                || text.starts_with(b"<?xml"),
            "it is a web page, as servers send in place of a file that is gone or needs a login; \
             download the file again",
        ),
        (
            start.starts_with(b"NRUB"),
            "it is a record of burn (.bpk), which does not say which network it is of; give the \
             run's directory, or the checkpoint's folder with its contents.json",
        ),
        (
            start.starts_with(b"\x1f\x8b"),
            "it is compressed with gzip; unpack it first",
        ),
        (
            start.starts_with(b"\x89HDF\r\n"),
            "it is a file of HDF5, as Keras writes; save the weights as safetensors",
        ),
        (
            start.starts_with(b"\x93NUMPY"),
            "it is an array of NumPy (.npy), and weights are many named arrays",
        ),
    ];
    tells.into_iter().find_map(|(is, what)| is.then_some(what))
}

/// Whether an archive lists code and constants, as `torch.jit.save` writes.
fn is_torchscript(file: &mut File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(END);
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.by_ref().take(END).read_to_end(&mut end)?;
    let Some(at) = end.windows(4).rposition(|bytes| bytes == b"PK\x05\x06") else {
        return Ok(false);
    };
    let number = |offset: usize| {
        let bytes = end.get(at + offset..)?.first_chunk::<4>()?;
        Some(u64::from(u32::from_le_bytes(*bytes)))
    };
    let (Some(size), Some(start)) = (number(12), number(16)) else {
        return Ok(false);
    };
    // An archive of over 4 GiB has other numbers here; its list ends at the same place.
    let (start, size) = match start < length {
        true => (start, size.min(LIST)),
        false => (from, END),
    };
    let mut list = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.by_ref().take(size).read_to_end(&mut list)?;
    let lists = |name: &[u8]| list.windows(name.len()).any(|bytes| bytes == name);
    Ok(lists(b"/constants.pkl") && lists(b"/code/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_of_files_tell_what_they_are() {
        for (start, word) in [
            (
                &b"version https://git-lfs.github.com/spec/v1\noid sha256:0"[..],
                "git lfs pull",
            ),
            (b"<!DOCTYPE html>\n<html>", "web page"),
            (b"\xef\xbb\xbf\n <HTML><body>", "web page"),
            (b"NRUB\x01\x00", "record of burn"),
            (b"\x1f\x8b\x08", "gzip"),
        ] {
            assert!(
                of_start(start).is_some_and(|what| what.contains(word)),
                "{word}"
            );
        }
        for start in [&b""[..], b"\x80\x02}q\x00.", b"\x10\0\0\0\0\0\0\0{\"a\":"] {
            assert_eq!(of_start(start), None);
        }
    }
}
