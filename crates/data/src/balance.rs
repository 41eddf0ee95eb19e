//! A part of a split with as many images of each class.

use crate::image_set::ImageSet;

impl ImageSet {
    /// The first `limit` images that keep the classes balanced, in file order; all where the set has
    /// no more.
    ///
    /// Each class that has images gives its first `limit / classes`; where that leaves a rest, the
    /// first classes give one more.
    ///
    /// # Errors
    /// A sentence, where the limit is 0 or a class has too few images.
    pub fn first_balanced(&self, limit: usize) -> Result<Self, String> {
        if limit == 0 {
            return Err("a limit of 0 leaves nothing".to_owned());
        }
        if limit >= self.len() {
            return Ok(self.clone());
        }
        let mut have = vec![0usize; self.classes().len()];
        self.labels()
            .iter()
            .for_each(|&label| have[label as usize] += 1);
        let present: Vec<usize> = (0..have.len()).filter(|&class| have[class] > 0).collect();
        let (each, rest) = (limit / present.len(), limit % present.len());
        let mut open = vec![0usize; have.len()];
        for (at, &class) in present.iter().enumerate() {
            open[class] = each + usize::from(at < rest);
        }
        let mut kept = Vec::with_capacity(limit);
        for (at, &label) in self.labels().iter().enumerate() {
            let left = &mut open[label as usize];
            if *left > 0 {
                *left -= 1;
                kept.push(at);
            }
        }
        if let Some(class) = open.iter().position(|&left| left > 0) {
            return Err(format!(
                "a balanced choice of {limit} images needs {} of class {:?}, which has {} of the {} \
                 images; lower the limit or leave it out",
                have[class] + open[class],
                self.classes()[class],
                have[class],
                self.len()
            ));
        }
        Ok(self.only(&kept))
    }
}
