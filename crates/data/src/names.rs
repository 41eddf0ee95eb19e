//! Which file, or which image in a file, a sample is.

use std::fmt;

use afterimage_files::plain;

/// Where the images of a split lie, in the order of its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SampleNames {
    /// It is not known.
    #[default]
    Unknown,
    /// A file for each image, by its path below the folder that the config names.
    Files(Vec<String>),
    /// Files that hold many images each, with their numbers of images.
    Members(Vec<(String, usize)>),
}

/// The place of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleName<'a> {
    /// The file, by its path below the folder that the config names, with `/` between folders.
    pub file: &'a str,
    /// Which image in the file, where that holds many.
    pub member: Option<Member<'a>>,
}

/// Which image in a file that holds many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member<'a> {
    /// Its number, from 0.
    Number(usize),
    /// Its name.
    Name(&'a str),
}

impl<'a> Member<'a> {
    /// Its name; empty for a number.
    pub(crate) fn as_name(self) -> &'a str {
        match self {
            Self::Number(_) => "",
            Self::Name(name) => name,
        }
    }
}

impl fmt::Display for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Many names behind each other in one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NameList {
    text: String,
    ends: Vec<usize>,
}

impl NameList {
    pub(crate) fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..*self.ends.get(at)?)
    }

    /// Bytes that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + 8 * self.ends.capacity()
    }
}

impl fmt::Display for SampleName<'_> {
    /// Characters that would act on a terminal are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(self.file))?;
        match self.member {
            Some(Member::Number(number)) => write!(f, "[{number}]"),
            Some(Member::Name(name)) => {
                write!(f, "[{}]", plain(name))
            }
            None => Ok(()),
        }
    }
}

impl SampleNames {
    /// The place of the image at `position` of the split's files; none if it is not known.
    pub fn at(&self, position: usize) -> Option<SampleName<'_>> {
        match self {
            Self::Unknown => None,
            Self::Files(files) => files
                .get(position)
                .map(|file| SampleName { file, member: None }),
            Self::Members(files) => {
                let mut before = 0;
                for (file, count) in files {
                    if position < before + count {
                        return Some(SampleName {
                            file,
                            member: Some(Member::Number(position - before)),
                        });
                    }
                    before += count;
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &SampleNames, position: usize) -> Option<String> {
        names.at(position).map(|name| name.to_string())
    }

    #[test]
    fn an_image_is_a_file_or_a_number_in_one() {
        let files =
            SampleNames::Files(vec!["cat/a.png".to_owned(), "dog/\u{1b}[2J.png".to_owned()]);
        assert_eq!(told(&files, 0).as_deref(), Some("cat/a.png"));
        assert_eq!(told(&files, 1).as_deref(), Some("dog/\\u001b[2J.png"));
        assert_eq!(told(&files, 2), None);
        let members = SampleNames::Members(vec![
            ("data_batch_1.bin".to_owned(), 3),
            ("data_batch_2.bin".to_owned(), 2),
        ]);
        for (position, expected) in [
            (0, Some("data_batch_1.bin[0]")),
            (2, Some("data_batch_1.bin[2]")),
            (3, Some("data_batch_2.bin[0]")),
            (4, Some("data_batch_2.bin[1]")),
            (5, None),
        ] {
            assert_eq!(told(&members, position).as_deref(), expected);
        }
        assert_eq!(told(&SampleNames::Unknown, 0), None);
    }
}
