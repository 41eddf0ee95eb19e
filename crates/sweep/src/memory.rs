//! How much memory a trial may hold.

use std::fmt;

use afterimage_files::Bytes;

/// A bound on the memory that each trial holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryBound {
    /// As the sweep file has it.
    told: String,
    bytes: u64,
}

/// What no trial fits into: a number without its unit, most likely.
const LEAST: u64 = 1_000_000;

impl MemoryBound {
    /// The bound that is written as `4 GB`, `512MiB` or a number of bytes.
    ///
    /// # Errors
    /// What is no amount of memory, or one that no program fits into; says how one is written.
    pub fn parse(told: &str) -> Result<Self, String> {
        let Bytes(bytes) = told.parse()?;
        if bytes < LEAST {
            return Err(format!(
                "{told:?} is {bytes} bytes, less than any trial holds; write the unit, as in 4 GB"
            ));
        }
        let told = told.to_owned();
        Ok(Self { told, bytes })
    }

    /// In bytes, at least 1.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many trials have room side by side in `free` bytes.
    pub fn fits(&self, free: u64) -> usize {
        usize::try_from(free / self.bytes.max(1)).unwrap_or(usize::MAX)
    }

    /// Why a trial that holds `held` bytes, where that is known, is ended.
    pub(crate) fn beyond(&self, held: Option<u64>) -> String {
        let held = match held {
            Some(held) => format!("it held {}", Bytes(held)),
            None => "its job held more".to_owned(),
        };
        format!(
            "{self}: {held}; make the trial smaller, or raise the key and call the sweep with --retry-failed"
        )
    }

    /// As an option of `sbatch`, in kibibytes.
    pub(crate) fn of_slurm(&self) -> String {
        format!("--mem={}K", self.bytes.div_ceil(1024))
    }
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory = {:?}", self.told)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_says_how_many_fit_and_what_is_beyond() {
        let bound = MemoryBound::parse("4 GB").unwrap();
        assert_eq!(bound.bytes(), 4_000_000_000);
        assert!(
            MemoryBound::parse("4")
                .unwrap_err()
                .contains("write the unit")
        );
        assert_eq!(bound.fits(3_999_999_999), 0);
        assert_eq!(bound.fits(9_000_000_000), 2);
        assert_eq!(bound.of_slurm(), "--mem=3906250K");
        assert!(
            bound
                .beyond(Some(4_300_000_000))
                .starts_with("memory = \"4 GB\": it held 4.3 GB; ")
        );
        for nonsense in ["0", "-1 GB", "much", "", "1e30 GB"] {
            let why = MemoryBound::parse(nonsense).unwrap_err();
            assert!(why.contains("is no amount of memory"), "{why}");
        }
    }
}
