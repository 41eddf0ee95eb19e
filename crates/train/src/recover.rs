//! What a kill or a damaged disk leaves of checkpoints, and the last one that is whole.

use std::fs;
use std::path::PathBuf;

use crate::checkpoint::{Checkpoints, name, verify};
use crate::error::TrainError;

/// The last checkpoint that is whole.
#[derive(Debug)]
pub struct Good {
    /// Its folder.
    pub path: PathBuf,
    /// Steps of later ones that are damaged, and what is wrong with each.
    pub passed: Vec<(u64, String)>,
}

impl Checkpoints {
    /// The last checkpoint whose files are all there with the bytes that were written.
    ///
    /// # Errors
    /// No checkpoint, none that is whole, or a file that the system does not let the program read.
    pub fn last_good(&self) -> Result<Good, TrainError> {
        let mut passed = Vec::new();
        for step in self.steps()?.into_iter().rev() {
            let path = self.folder.join(name(step));
            match verify(&path) {
                Ok(()) => return Ok(Good { path, passed }),
                Err(TrainError::Checkpoint { path, what }) => {
                    passed.push((step, format!("{}: {what}", path.display())));
                }
                Err(error) => return Err(error),
            }
        }
        if passed.is_empty() {
            return Err(TrainError::NoCheckpoint {
                path: self.folder.clone(),
            });
        }
        let faults = passed.into_iter().map(|(_, fault)| fault);
        Err(TrainError::NoneWhole(faults.collect()))
    }

    /// The last checkpoint that is whole, for a run that goes on from it. What a kill left half
    /// written or half removed goes; damaged checkpoints behind it are set aside under another name,
    /// with a warning.
    ///
    /// # Errors
    /// As for [`last_good`](Self::last_good); and a folder that cannot be renamed or removed. Nothing
    /// is set aside if no checkpoint is whole.
    pub fn recover(&self) -> Result<PathBuf, TrainError> {
        self.tidy()?;
        let Good { path, passed } = self.last_good()?;
        for (step, fault) in passed {
            let damaged = self.folder.join(name(step));
            let mut aside = self.folder.join(format!("{}.damaged", name(step)));
            let mut count = 1;
            while aside.exists() {
                count += 1;
                aside = self.folder.join(format!("{}.damaged-{count}", name(step)));
            }
            fs::rename(&damaged, &aside).map_err(TrainError::io(&damaged, "set aside"))?;
            tracing::warn!(
                "{fault}; this checkpoint is set aside as {}, and the last one that is whole is {}",
                aside.display(),
                path.display()
            );
        }
        Ok(path)
    }

    fn tidy(&self) -> Result<(), TrainError> {
        if !self.folder.exists() {
            return Ok(());
        }
        let entries = fs::read_dir(&self.folder).map_err(TrainError::io(&self.folder, "read"))?;
        for entry in entries {
            let entry = entry.map_err(TrainError::io(&self.folder, "read"))?;
            let file_name = entry.file_name();
            let Some((step, rest)) = file_name.to_str().and_then(|file| {
                let (step, rest) = file.strip_prefix(".step-")?.split_once('.')?;
                Some((step.parse::<u64>().ok()?, rest.to_owned()))
            }) else {
                continue;
            };
            let left = entry.path();
            let place = self.folder.join(name(step));
            match rest.as_str() {
                // Killed between the two renames of a checkpoint that is written again.
                "replaced" if !place.exists() => {
                    fs::rename(&left, &place).map_err(TrainError::io(&left, "put back"))?;
                }
                "replaced" | "partial" | "removed" => {
                    fs::remove_dir_all(&left).map_err(TrainError::io(&left, "remove"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::checkpoint::tests::written;

    fn flip(path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn every_file_of_a_checkpoint_is_checked() {
        let place = tempfile::tempdir().unwrap();
        let path = written(place.path(), 10);
        assert!(verify(&path).is_ok());
        for entry in fs::read_dir(&path).unwrap() {
            let file = entry.unwrap().path();
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, [&bytes[..], b" x"].concat()).unwrap();
            let told = verify(&path).unwrap_err().to_string();
            assert!(told.contains(file.to_str().unwrap()), "{told}");
            fs::remove_file(&file).unwrap();
            let told = verify(&path).unwrap_err().to_string();
            assert!(
                told.contains(file.to_str().unwrap()) && told.contains("missing"),
                "{told}"
            );
            fs::write(&file, bytes).unwrap();
        }
        assert!(verify(&path).is_ok());
    }

    #[test]
    fn a_damaged_checkpoint_is_set_aside_for_the_one_before_it() {
        let place = tempfile::tempdir().unwrap();
        let [first, second] = [10, 20].map(|step| written(place.path(), step));
        let checkpoints = Checkpoints::new(place.path(), 2, "");
        flip(&second.join("config.toml"));
        let good = checkpoints.last_good().unwrap();
        assert!(good.path == first && good.passed[0].0 == 20);
        assert!(second.exists(), "a reader changes nothing");
        assert_eq!(checkpoints.recover().unwrap(), first);
        assert!(
            place
                .path()
                .join("step-00000020.damaged/config.toml")
                .exists()
        );
        assert_eq!(checkpoints.steps().unwrap(), [10]);

        flip(&first.join("model.bpk"));
        let told = checkpoints.recover().unwrap_err().to_string();
        assert!(
            told.contains("model.bpk") && !told.contains("delete"),
            "{told}"
        );
        assert!(first.exists(), "the only one stays in its place");
    }

    #[test]
    fn what_a_kill_leaves_is_put_back_or_removed() {
        let place = tempfile::tempdir().unwrap();
        let path = written(place.path(), 10);
        fs::rename(&path, place.path().join(".step-00000010.replaced")).unwrap();
        for rest in ["partial", "removed"] {
            fs::create_dir(place.path().join(format!(".step-00000010.{rest}"))).unwrap();
        }
        let checkpoints = Checkpoints::new(place.path(), 2, "");
        assert_eq!(checkpoints.recover().unwrap(), path);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
