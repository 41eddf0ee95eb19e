//! Names that are longer than their place.

/// The last letters of `name`, `letters` at most with the dots in front: the end of a layer's name tells more
/// than its beginning.
pub(crate) fn ending(name: &str, letters: usize) -> String {
    let count = name.chars().count();
    match count > letters {
        true => ['…']
            .into_iter()
            .chain(name.chars().skip(count + 1 - letters))
            .collect(),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::ending;

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(ending("encoder.layer", 6), "…layer");
        assert_eq!(ending("layer", 5), "layer");
    }
}
