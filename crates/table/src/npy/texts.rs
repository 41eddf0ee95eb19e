//! Arrays of texts.

use std::io::{BufReader, Read};
use std::path::Path;

use afterimage_files::open_input;

use super::{Npy, cut_off};
use crate::FileError;

/// The texts of an npy array of numpy's types `U` and `S` with one axis, or with two and one column; `None`
/// for arrays of other types.
///
/// # Errors
/// No file, no npy file, an array of objects, another shape, bytes that are no UTF-8.
pub fn npy_texts(path: &Path) -> Result<Option<Vec<String>>, FileError> {
    let file = open_input(path).map_err(FileError::io("open"))?;
    let held = file.metadata().map_err(FileError::io("read"))?.len();
    let mut reader = BufReader::new(file);
    let (header, start) = super::head(&mut reader)?;
    if header.kind.ends_with('O') {
        return Err(FileError::content(
            "its values are Python objects, which are not read; save it as numbers, as in numpy.save(path, \
             x.astype('float32')) or, for labels that are texts, x.astype('str'), which writes missing ones as \
             nan or None",
        ));
    }
    if width(&header.kind).is_none() {
        return Ok(None);
    }
    let npy = Npy::behind((header, start), reader, held, width)?;
    if !matches!(npy.shape[..], [_] | [_, 1]) {
        let what = format!("the array is {:?}; one label a row is needed", npy.shape);
        return Err(FileError::content(what));
    }
    let (kind, count) = (npy.kind.clone(), npy.shape[0]);
    let mut bytes = vec![0; width(&kind).unwrap_or(1)];
    let mut values = npy.into_values();
    let mut texts = Vec::new();
    for row in 0..count {
        values.read_exact(&mut bytes).map_err(cut_off)?;
        texts.push(text(&kind, &bytes).ok_or_else(|| {
            FileError::content(format!("the text of row {} is no UTF-8", row + 1))
        })?);
    }
    Ok(Some(texts))
}

/// The bytes of a text of this type; `None` for types that are none, and for texts without letters.
fn width(kind: &str) -> Option<usize> {
    let kind = kind.trim_start_matches(['<', '>', '|', '=']);
    let letters = |count: &str| count.parse::<usize>().ok().filter(|count| *count > 0);
    match kind.split_at_checked(1)? {
        ("U", count) => letters(count)?.checked_mul(4),
        ("S", count) => letters(count),
        _ => None,
    }
}

/// A text, which zeros fill up.
fn text(kind: &str, bytes: &[u8]) -> Option<String> {
    if kind.contains('S') {
        let end = bytes.iter().rposition(|byte| *byte != 0);
        let filled = &bytes[..end.map_or(0, |end| end + 1)];
        return std::str::from_utf8(filled).ok().map(str::to_owned);
    }
    let big = kind.starts_with('>');
    let letters = bytes.chunks_exact(4).map(|letter| {
        let letter = <[u8; 4]>::try_from(letter).ok()?;
        char::from_u32(match big {
            true => u32::from_be_bytes(letter),
            false => u32::from_le_bytes(letter),
        })
    });
    let text: String = letters.collect::<Option<_>>()?;
    Some(text.trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(kind: &str, shape: &str, values: &[u8]) -> Result<Option<Vec<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(values);
        std::fs::write(&path, bytes).unwrap();
        npy_texts(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_of_both_types_and_orders_of_bytes_are_read() {
        let wide = |letters: &[char], big: bool| -> Vec<u8> {
            let bytes = letters.iter().map(|letter| u32::from(*letter));
            let bytes = bytes.map(|l| {
                if big {
                    l.to_be_bytes()
                } else {
                    l.to_le_bytes()
                }
            });
            bytes.flatten().collect()
        };
        let letters = ['a', '\0', 'é', 'b'];
        let wanted = Some(vec!["a".to_owned(), "éb".to_owned()]);
        for (kind, big) in [("<U2", false), (">U2", true)] {
            let values = wide(&letters, big);
            assert_eq!(read(kind, "(2,)", &values), Ok(wanted.clone()));
            assert_eq!(read(kind, "(2, 1)", &values), Ok(wanted.clone()));
        }
        let bytes = Some(vec!["ab".to_owned(), String::new()]);
        assert_eq!(read("|S2", "(2,)", b"ab\0\0"), Ok(bytes));
        assert_eq!(read("<f4", "(1,)", &[0; 4]), Ok(None));
        let told = |kind: &str, shape: &str| read(kind, shape, &[0xd8; 8]).unwrap_err();
        assert!(told("|O", "(1,)").contains("x.astype('str')"));
        assert!(told("<U2", "(1, 2)").contains("cut off"));
        assert!(told("|S4", "(1, 2)").contains("one label a row"));
        assert!(told("|S4", "(2,)").contains("the text of row 1 is no UTF-8"));
        assert_eq!(read("<U99999999999999999999", "(2,)", &[0; 8]), Ok(None));
    }
}
