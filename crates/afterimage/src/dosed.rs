//! How a run's memory answers to how often points were shown.

use std::collections::BTreeSet;

use afterimage_memory::EMBEDDING;
use afterimage_track::TextTable;

use crate::summary::Measured;

/// What a column shows: its heading, a tag before the dose, and the layer.
const COLUMNS: [(&str, &str, &str); 7] = [
    ("LayerMem", "doses/layermem/mean", EMBEDDING),
    ("± se", "doses/layermem/se", EMBEDDING),
    ("area", "doses/layermem/area", EMBEDDING),
    ("± se ", "doses/layermem/area_se", EMBEDDING),
    ("area of gap", "doses/alignment/area", EMBEDDING),
    ("units owned", "doses/units/mean", "all"),
    ("± se  ", "doses/units/se", "all"),
];

/// A row a dose: LayerMem and its area against held-out points, the area of the alignment gap, both at
/// the embedding, and units that a point owns. `None` where nothing was planted or measured.
pub(crate) fn by_dose(measured: &Measured<'_>) -> Option<String> {
    let doses: BTreeSet<(u32, String)> = measured
        .scalars
        .keys()
        .filter_map(|tag| tag.strip_prefix("doses/")?.split('/').nth(2))
        .map(|dose| (times(dose), dose.to_owned()))
        .collect();
    let tag = |what: &str, dose: &str, layer: &str| format!("{what}/{dose}/{layer}");
    let all = || {
        let tags = COLUMNS
            .iter()
            .flat_map(|(_, what, layer)| doses.iter().map(move |(_, dose)| tag(what, dose, layer)));
        tags.filter_map(|tag| measured.step(&tag))
    };
    let moment = all().max()?;
    let value = |column: &(&str, &str, &str), dose: &str| {
        measured.at(&tag(column.1, dose, column.2), moment)
    };
    let shown: Vec<_> = COLUMNS
        .iter()
        .filter(|column| doses.iter().any(|(_, dose)| value(column, dose).is_some()))
        .collect();
    let header: Vec<&str> = std::iter::once("times an epoch")
        .chain(shown.iter().map(|column| column.0))
        .collect();
    let title = "Memory by dose, at the embedding (area: against held-out points)";
    let title = match measured.time(moment) {
        Some(time) => format!("{title}; {time}"),
        None => title.to_owned(),
    };
    let mut table = TextTable::new(&title, &header);
    for (_, dose) in &doses {
        let numbers = shown
            .iter()
            .map(|column| TextTable::number(value(column, dose).unwrap_or(f64::NAN), 3));
        table.row([dose.clone()].into_iter().chain(numbers));
    }
    Some(format!("{table}\n"))
}

/// The number that a dose's name begins with; those without, such as noise, come last.
fn times(dose: &str) -> u32 {
    dose.trim_end_matches('x').parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::summary::Untrained;

    #[test]
    fn doses_are_in_order_and_what_was_not_measured_is_no_number() {
        let values = [
            ("doses/layermem/area/16/embedding", 0.98),
            ("doses/layermem/area/2/embedding", 0.9),
            ("doses/layermem/mean/2/embedding", 0.1),
            ("doses/layermem/mean/noise/embedding", 0.4),
        ];
        let scalars: BTreeMap<String, f64> = values
            .iter()
            .map(|(tag, value)| ((*tag).to_owned(), *value))
            .collect();
        let steps = scalars.keys().map(|tag| (tag.clone(), 5)).collect();
        let none = BTreeMap::new();
        let measured = |scalars| Measured {
            scalars,
            steps: &steps,
            epochs: BTreeMap::new(),
            start: Untrained::Random,
            history: &[],
        };
        let text = by_dose(&measured(&scalars)).unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(3)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["2", "0.100", "0.900"]);
        assert_eq!(rows[1], ["16", "–", "0.980"]);
        assert_eq!(rows[2], ["noise", "0.400", "–"]);
        assert_eq!(by_dose(&measured(&none)), None);
    }
}
