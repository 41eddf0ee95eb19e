//! Whatever is given as a name, a label, a title or a cell comes out as text.
#![allow(clippy::unwrap_used)]

use afterimage_report::{
    Axis, Cell, Chart, Dot, Fold, HeatCell, HeatMap, Page, Point, Points, Ridge, Ridges, Scale,
    Scatter, Section, Series, Table, items, not_shown, prose,
};
use maud::html;
use proptest::prelude::*;

/// A page that has `text` in every place that takes text.
fn page(text: &str) -> String {
    let line = |at: f64| Series::new(text, vec![(0.0, at), (1.0, at)]).errors(vec![0.1, 0.2]);
    let names = || vec![text.to_owned(), "b".to_owned()];
    let layers = Chart::lines(text, Axis::Layers(names()), vec![line(1.0), line(2.0)]);
    let many = Chart::lines(
        text,
        Axis::Counts(text.to_owned()),
        (0..20).map(|at| line(f64::from(at))).collect(),
    );
    let point = Point {
        x: 1.0,
        y: 1.0,
        error: 0.5,
        group: 0,
        label: text.to_owned(),
        faded: true,
    };
    let points = Points {
        points: vec![point.clone(), point],
        groups: names(),
        front: vec![0, 1],
    };
    let axis = Axis::Names {
        what: text.to_owned(),
        names: names(),
    };
    let cell = HeatCell {
        value: 0.5,
        title: text.to_owned(),
        unsure: true,
    };
    let map = HeatMap {
        title: text,
        columns: &names(),
        rows: &[(text.to_owned(), vec![cell.clone(), cell])],
        scale: Scale::Signed(1.0),
    };
    let ridge = Ridge {
        epoch: 1,
        counts: vec![1],
        edges: vec![0.0, 1.0],
        mean: 0.5,
        not_finite: 1,
    };
    let dot = |weight| Dot {
        x: 1.0,
        y: 1.0,
        group: 0,
        weight,
        name: text.to_owned(),
    };
    let scatter = |groups: Vec<String>| Scatter {
        title: text.to_owned(),
        axes: [text.to_owned(), text.to_owned()],
        dots: vec![dot(None), dot(Some(2.0)), dot(Some(0.0))],
        groups,
        words: [text.to_owned(), text.to_owned()],
    };
    let mut table = Table::new(&[text, "b"]).sorts(text);
    table.row([
        Cell::text(text).below(text).link(text),
        Cell::text(text).worth(1.0),
    ]);
    table.row([text, text]);
    Page::new(text)
        .contents()
        .live()
        .head(not_shown([text]))
        .section(Section::new(text).note(text).content(text).content(table))
        .section(
            Section::new("charts")
                .figures([layers, many, Chart::points(text, axis, points)])
                .figures([Ridges::new(text, vec![ridge])])
                .content(map)
                .content(scatter(names()))
                .content(scatter(vec![text.to_owned(); 20]))
                .folded(),
        )
        .section(Section::new("words").content(Fold::new(text, html! { ul { (items([text])) } })))
        .section(
            Section::new("prose")
                .content("p")
                .content(prose(&text.replace('`', ""))),
        )
        .html()
}

/// What is between the tags, and the tags: name and names of attributes. None where the page is not made of
/// whole tags with quoted attributes.
fn taken_apart(html: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let (mut texts, mut tags) = (Vec::new(), Vec::new());
    // The style and the script are the page's own.
    let (head, rest) = html.split_once("<style>")?;
    let (_, rest) = rest.split_once("</style>")?;
    let (body, rest) = rest.split_once("<script>")?;
    let (_, end) = rest.split_once("</script>")?;
    let mut rest = [head, body, end].concat();
    rest = rest.strip_prefix("<!doctype html>\n")?.to_owned();
    let mut left = rest.as_str();
    while let Some((text, after)) = left.split_once('<') {
        if text.contains('>') {
            return None;
        }
        texts.push(text.to_owned());
        let mut names = Vec::new();
        let end = after.find([' ', '>'])?;
        names.push(after[..end].to_owned());
        left = &after[end..];
        while let Some(attribute) = left.strip_prefix(' ') {
            let end = attribute.find([' ', '=', '>'])?;
            names.push(attribute[..end].to_owned());
            left = &attribute[end..];
            if let Some(value) = left.strip_prefix('=') {
                let (value, after) = value.strip_prefix('"')?.split_once('"')?;
                if value.contains(['<', '>']) {
                    return None;
                }
                left = after;
            }
        }
        left = left.strip_prefix('>')?;
        tags.push(names);
    }
    (!left.contains('>')).then(|| {
        texts.push(left.to_owned());
        (texts, tags)
    })
}

/// Text as a browser shows it.
fn shown(html: &str) -> String {
    let plain = html.replace("&lt;", "<").replace("&gt;", ">");
    plain.replace("&quot;", "\"").replace("&amp;", "&")
}

/// Texts that would be markup, or end some.
const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=1>",
    "' onload='1",
    "</title></style></svg>",
    "<!--",
    "-->]]>",
    "&lt;b&gt;&#60;",
    "javascript:1",
    "`a` < b & c",
];

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>&\"'`=/ a-z!-]{1,40}",
        proptest::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn text_is_shown_and_is_never_markup(text in texts()) {
        // A section's heading, a note and a cell are left out where they are empty; a number has another class.
        prop_assume!(!text.is_empty() && text.parse::<f64>().is_err() && text != "–");
        let html = page(&text);
        let apart = taken_apart(&html);
        prop_assert!(apart.is_some(), "{html}");
        let (texts, tags) = apart.unwrap();
        prop_assert_eq!(tags, taken_apart(&page("x")).unwrap().1);
        let whole = texts.iter().filter(|one| shown(one) == text).count();
        // Title, heading, link, section, note, cells, captions, points, hovering: each by itself.
        prop_assert!(whole > 20, "{whole} times in {html}");
    }
}

#[test]
fn markup_that_is_no_text_is_found_by_the_check() {
    let whole = |inside: &str| {
        let html =
            format!("<!doctype html>\n<style></style><p a=\"b\">{inside}</p><script></script>");
        taken_apart(&html).map(|(_, tags)| tags.len())
    };
    assert_eq!(whole("&lt;b&gt;"), Some(2));
    assert_eq!(whole("<b>x</b>"), Some(4));
    assert_eq!(whole("a > b"), None);
    assert_eq!(whole("<b c=d>"), None);
    assert_eq!(whole("<b c=\"<\">"), None);
}
