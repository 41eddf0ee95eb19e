//! Which scalars are drawn together in TensorBoard's custom-scalars tab.

/// The start of a regular expression over the name of a card: its group, if it has any
/// ([`TensorBoard::grouped`](crate::TensorBoard::grouped)).
const GROUP: &str = "^(?:[0-9] [^/]+/)?";

/// A group of charts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Heading.
    pub title: String,
    /// Charts from left to right.
    pub charts: Vec<Chart>,
}

/// One chart with several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Heading.
    pub title: String,
    /// Regular expressions; every scalar whose whole tag matches one is a line.
    pub tags: Vec<String>,
}

impl Chart {
    /// A chart of exactly these tags, whatever group their cards are in.
    pub fn of_tags(title: impl Into<String>, tags: &[String]) -> Self {
        Self {
            title: title.into(),
            tags: tags
                .iter()
                .map(|tag| format!("{GROUP}{}$", escape(tag)))
                .collect(),
        }
    }

    /// A chart of all tags below `prefix`, likewise.
    pub fn below(title: impl Into<String>, prefix: &str) -> Self {
        Self {
            title: title.into(),
            tags: vec![format!("{GROUP}{}/.*$", escape(prefix))],
        }
    }
}

/// The layout for memorization: LayerMem of all layers with its controls; for each of `sites` the mean UnitMem on training points, on
/// held-out points and before training, and one chart of the excess over the null of all sites.
pub fn unitmem_layout(sites: &[String]) -> Vec<Category> {
    let every =
        |of: &str| -> Vec<String> { sites.iter().map(|s| format!("unitmem/{of}/{s}")).collect() };
    let per_site = sites
        .iter()
        .map(|site| {
            let tags = ["mean/train", "mean/held_out", "mean/initial"]
                .map(|of| format!("unitmem/{of}/{site}"));
            Chart::of_tags(site, &tags)
        })
        .collect();
    let excess = vec![
        Chart::of_tags("over held-out points", &every("excess/held_out")),
        Chart::of_tags("over the untrained encoder", &every("excess/initial")),
    ];
    let below = |title: &str, prefix: &str| Chart::below(title, prefix);
    let evaluation = vec![below("loss", "loss"), below("evaluation", "eval")];
    let layers = vec![
        below("candidates", "layermem/mean/candidates"),
        below("calibrated", "layermem/calibrated"),
        below("control: shared points", "layermem/mean/shared"),
        below("control: held-out points", "layermem/mean/external"),
        below("alignment gap", "alignment/gap"),
        below(
            "area: candidates against held-out points",
            "layermem/area/external",
        ),
        below(
            "control: area of two sets of held-out points",
            "layermem/area/null",
        ),
        below(
            "area by one encoder: training against held-out points",
            "alignment/area",
        ),
    ];
    vec![
        Category {
            title: "Training".into(),
            charts: evaluation,
        },
        Category {
            title: "UnitMem excess".into(),
            charts: excess,
        },
        Category {
            title: "UnitMem per layer: train, held out, initial".into(),
            charts: per_site,
        },
        Category {
            title: "LayerMem".into(),
            charts: layers,
        },
    ]
}

/// Makes a regular expression that matches `text` and nothing else.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if !(c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | ' ')) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_site_name_matches_only_a_dot() {
        let chart = Chart::of_tags("x", &["unitmem/mean/train/encoder.layer1".to_owned()]);
        assert_eq!(
            chart.tags,
            [r"^(?:[0-9] [^/]+/)?unitmem/mean/train/encoder\.layer1$"]
        );
    }

    #[test]
    fn each_site_has_its_chart_with_both_controls() {
        let layout = unitmem_layout(&["a".to_owned(), "b".to_owned()]);
        assert_eq!(layout[2].charts.len(), 2);
        assert_eq!(layout[2].charts[1].tags.len(), 3);
        assert_eq!(
            layout[1].charts[0].tags,
            ["a", "b"].map(|site| format!("^(?:[0-9] [^/]+/)?unitmem/excess/held_out/{site}$"))
        );
    }
}
