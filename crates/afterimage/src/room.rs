//! Whether memory has room for what is made of all images of a set at once.

use afterimage_data::ImageSet;
use afterimage_files::machine_memory;

/// A part of the machine's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Half,
    Quarter,
}

/// Refuses `bytes` that are made of images that stay in their files, where they are more than `part` of the
/// memory; images in memory were room enough for themselves. The error says so of `what`.
pub(crate) fn check(images: &ImageSet, bytes: u64, part: Part, what: &str) -> Result<(), String> {
    match images.is_lazy() {
        true => check_in(machine_memory(), bytes, part, what),
        false => Ok(()),
    }
}

fn check_in(memory: Option<u64>, bytes: u64, part: Part, what: &str) -> Result<(), String> {
    let (parts, told) = match part {
        Part::Half => (2, "half"),
        Part::Quarter => (4, "a quarter"),
    };
    match memory.filter(|memory| bytes > memory / parts) {
        None => Ok(()),
        Some(_) => Err(format!(
            "{what} take {} MiB, more than {told} of the memory",
            bytes >> 20
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_part_of_the_memory_is_refused() {
        let check = |part, bytes| check_in(Some(8 << 20), bytes, part, "corners");
        assert_eq!(check(Part::Half, 4 << 20), Ok(()));
        assert_eq!(check(Part::Quarter, 2 << 20), Ok(()));
        assert_eq!(
            check(Part::Quarter, 4 << 20),
            Err("corners take 4 MiB, more than a quarter of the memory".to_owned())
        );
        assert!(check(Part::Half, 5 << 20).is_err());
        assert_eq!(check_in(None, u64::MAX, Part::Half, "corners"), Ok(()));
    }
}
