//! Names of columns that number the rows.

/// Names of such columns, in small letters.
const NAMES: [&str; 8] = [
    "id",
    "index",
    "idx",
    "row",
    "rowid",
    "row_id",
    "unnamed: 0",
    "uuid",
];

/// Whether a column of this name is an id, rather than something that was measured, where its whole
/// numbers all differ: `id`, `index` and the like, and names that end in `Id` or `ID` behind a small letter
/// or a digit, as `PassengerId`, or in `id` behind a sign or a space, as `user_id`.
pub fn names_rows(name: &str) -> bool {
    let name = name.trim();
    if NAMES.contains(&name.to_lowercase().as_str()) {
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
        ] {
            assert!(names_rows(name), "{name}");
        }
        for name in [
            "grid", "Grid", "VALID", "PAID", "acid", "Id2", "idle", "_", "", "d", "é", "user_ids",
            "ident",
        ] {
            assert!(!names_rows(name), "{name}");
        }
    }
}
