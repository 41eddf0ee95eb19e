//! Names of columns that number the rows.

/// Names of such columns, in small letters.
const NAMES: [&str; 19] = [
    "id",
    "index",
    "idx",
    "level_0",
    "line",
    "lineno",
    "nr",
    "row",
    "row id",
    "row number",
    "row_id",
    "row_no",
    "row_nr",
    "row_num",
    "row_number",
    "rowid",
    "rownum",
    "rownumber",
    "uuid",
];

/// The columns that every table of a run begins with, which are no values of a sample.
const CLOCK: [&str; 2] = ["epoch", "step"];

/// Names that a file gives to labels, in small letters.
const LABELS: [&str; 11] = [
    "annotation",
    "category",
    "class",
    "class_label",
    "classes",
    "label",
    "label_id",
    "labels",
    "species",
    "target",
    "targets",
];

/// Whether a text at the beginning of labels is likely their name rather than one of them.
///
/// # Examples
/// ```
/// use afterimage_table::names_labels;
/// assert!(names_labels("Label") && !names_labels("cat"));
/// ```
pub fn names_labels(text: &str) -> bool {
    LABELS.contains(&text.trim().to_lowercase().as_str())
}

/// Whether a column of this name says when a run wrote the row, rather than what was measured.
pub fn names_clock(name: &str) -> bool {
    CLOCK.contains(&name)
}

/// Whether a column has no name, or one that pandas gives to those without, as `Unnamed: 0` and, of a file
/// that was read and written again, `Unnamed: 0.1`. In front of all others it is an index.
pub fn is_unnamed(name: &str) -> bool {
    let name = name.trim();
    let number = name.strip_prefix("Unnamed: ");
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.is_empty() || number.is_some_and(|number| number.split('.').all(digits))
}

/// What the first column of a table looks like while it is read, where its name tells nothing.
#[derive(Debug, Clone, Default)]
pub struct Signs {
    /// All cells, as long as they are whole.
    whole: Vec<f64>,
    /// Whether one of them is not whole.
    fractions: bool,
    /// Whether one of them is not one more than that before it.
    gaps: bool,
}

impl Signs {
    /// Takes the next cell as a number, in days of a date.
    pub fn push(&mut self, value: f64) {
        self.fractions |= value.fract() != 0.0;
        if self.fractions {
            self.whole = Vec::new();
            return;
        }
        self.gaps |= (self.whole.last()).is_some_and(|last| value != last + 1.0);
        self.whole.push(value);
    }

    /// Whether the cells are whole numbers, or dates, of which each is one more than that before it, and
    /// there are enough of them that this is no chance; or, as where rows of such a table were shuffled or
    /// left out, all differ and are at least half of those between the lowest and the highest.
    pub fn counts_rows(&self) -> bool {
        (!self.gaps && self.whole.len() >= 8) || self.are_shuffled()
    }

    fn are_shuffled(&self) -> bool {
        if self.whole.len() < 20 {
            return false;
        }
        let mut sorted = self.whole.clone();
        sorted.sort_by(f64::total_cmp);
        let differ = sorted.windows(2).all(|pair| pair[0] < pair[1]);
        let span = sorted[sorted.len() - 1] - sorted[0] + 1.0;
        differ && span <= 2.0 * sorted.len() as f64
    }
}

/// Whether a column of this name is an id, rather than something that was measured, where its whole
/// numbers all differ: `id`, `index` and the like, and names that end in `Id` or `ID` behind a small letter
/// or a digit, as `PassengerId`, or in `id` behind a sign or a space, as `user_id`.
pub fn names_rows(name: &str) -> bool {
    let name = name.trim();
    if NAMES.contains(&name.to_lowercase().as_str()) || is_unnamed(name) {
        return true;
    }
    let Some(stem) = name.get(..name.len().saturating_sub(2)) else {
        return false;
    };
    let end = &name[stem.len()..];
    let Some(last) = stem.chars().next_back() else {
        return false;
    };
    let apart = matches!(last, '_' | '-' | ' ' | '.' | ':' | '/');
    match end {
        "Id" | "ID" => apart || last.is_lowercase() || last.is_numeric(),
        "id" | "iD" => apart,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_count_the_rows() {
        let of = |values: &[f64]| {
            let mut signs = Signs::default();
            values.iter().for_each(|&value| signs.push(value));
            signs.counts_rows()
        };
        let count: Vec<f64> = (5..25).map(f64::from).collect();
        assert!(of(&count) && !of(&count[..7]));
        let shuffled: Vec<f64> = (0..30).map(|row| f64::from(row * 7 % 30)).collect();
        let far: Vec<f64> = shuffled.iter().map(|n| n * 3.0).collect();
        assert!(of(&shuffled) && !of(&shuffled[..19]) && !of(&far) && !of(&[3.0; 30]));
        let halves: Vec<f64> = count.iter().map(|n| n + 0.5).collect();
        assert!(!of(&halves) && !of(&[1.0; 20]));
        assert!(is_unnamed("Unnamed: 0.1.2") && !is_unnamed("Unnamed: x") && !is_unnamed("a"));
    }

    #[test]
    fn ids_and_words_that_end_alike() {
        for name in [
            "ID",
            "Index",
            "PassengerId",
            "customerID",
            "user_id",
            "user_ID",
            "Loan Id",
            "house.id",
            "Id2ID",
            "größeId",
            " id ",
            "level_0",
            "rownum",
            "Row Number",
            "Unnamed: 0",
            "Unnamed: 0.1",
            "",
        ] {
            assert!(names_rows(name), "{name}");
        }
        for name in [
            "grid", "Grid", "VALID", "PAID", "acid", "Id2", "idle", "_", "level_10", "d", "é",
            "user_ids", "ident",
        ] {
            assert!(!names_rows(name), "{name}");
        }
    }
}
