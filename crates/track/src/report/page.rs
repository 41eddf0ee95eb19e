//! The frame of the page, and the pieces of HTML that the sections are made of.

use super::load::Run;
use super::{evaluation, layers, pictures, sections, summary, tables};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Puts the page together: what was found, what was run, then the evidence, the layers first.
pub fn render(run: &Run) -> String {
    let mut body = String::new();
    for part in [
        sections::found,
        summary::summary,
        layers::layers,
        evaluation::evaluation,
        sections::memorization,
        pictures::pictures,
        evaluation::training,
        sections::histograms,
        sections::others,
        sections::cost,
        tables::tables,
        summary::configuration,
    ] {
        body += &part(run);
    }
    let mut head = format!("<h1>{}</h1>", escape(&run.name));
    if let Some((step, epoch)) = run.last.filter(|_| run.is_training()) {
        head += &format!("<p class=note>{epoch} epochs, {step} steps on record</p>");
    }
    live_document(&run.name, &(head + &damage(run) + &contents(&body) + &body))
}

/// Links to the sections of `body`, as [`section`] and [`folded`] make them.
pub fn contents(body: &str) -> String {
    let links: String = body
        .split("<h2 id=\"")
        .skip(1)
        .filter_map(|rest| {
            let (id, rest) = rest.split_once("\">")?;
            let (title, _) = rest.split_once("</h2>")?;
            Some(format!("<a href=\"#{id}\">{title}</a>"))
        })
        .collect();
    match links.is_empty() {
        true => links,
        false => format!("<nav aria-label=\"Sections\">{links}</nav>"),
    }
}

/// As [`document`], with a script of its own by which tables sort and filter, and charts tell the numbers
/// under the pointer; without scripts it shows the same.
pub fn live_document(title: &str, body: &str) -> String {
    document(title, &format!("{body}<script>{SCRIPT}</script>"))
}

/// A page that needs no other file: `body` is HTML, `title` is text.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escape(title)
    )
}

fn damage(run: &Run) -> String {
    if run.damaged.is_empty() {
        return String::new();
    }
    let lines: String = run
        .damaged
        .iter()
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    format!(
        "<div class=warning><strong>Not shown, because it cannot be read or is lost:</strong><ul>{lines}</ul></div>"
    )
}

/// A section, or nothing if it has no content; `title` and `note` are HTML.
pub fn section(title: &str, note: &str, content: &str) -> String {
    match inside(note, content) {
        Some(inside) => format!(
            "<section><h2 id=\"{}\">{title}</h2>{inside}</section>",
            anchor(title)
        ),
        None => String::new(),
    }
}

/// As [`section`], closed until it is asked for: evidence that most readers do not need.
pub fn folded(title: &str, note: &str, content: &str) -> String {
    match inside(note, content) {
        Some(inside) => format!(
            "<details class=fold><summary><h2 id=\"{}\">{title}</h2></summary>{inside}</details>",
            anchor(title)
        ),
        None => String::new(),
    }
}

fn inside(note: &str, content: &str) -> Option<String> {
    if content.is_empty() {
        return None;
    }
    let note = match note {
        "" => String::new(),
        note => format!("<p class=note>{note}</p>"),
    };
    let grid = match content.starts_with("<figure") {
        true => " class=grid",
        false => "",
    };
    Some(format!("{note}<div{grid}>{content}</div>"))
}

/// What a link calls a section.
pub(super) fn anchor(title: &str) -> String {
    let letters = title
        .chars()
        .filter(|letter| !matches!(letter, '<' | '>' | '&' | '"'));
    letters
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

/// A sentence as HTML: what stands between backticks is code.
pub fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without a partner stays what it is.
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let piece = |(at, part): (usize, &&str)| match at % 2 {
        0 => escape(part),
        _ => format!("<code>{}</code>", escape(part)),
    };
    parts.iter().enumerate().map(piece).collect()
}

/// A table of text; numbers are aligned on the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    opened("<table>", header, rows)
}

/// As [`table`], with columns that sort and rows that filter on a [`live_document`]; `name` is that of
/// its CSV file.
pub fn sorted_table(name: &str, header: &[&str], rows: &[Vec<String>]) -> String {
    let open = format!(
        "<table class=sorts data-name=\"{}\">",
        anchor(&escape(name))
    );
    opened(&open, header, rows)
}

fn opened(open: &str, header: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!("<div class=scroll>{open}");
    if !header.is_empty() {
        let cells: String = header
            .iter()
            .map(|name| format!("<th>{}</th>", escape(name)))
            .collect();
        html += &format!("<thead><tr>{cells}</tr></thead>");
    }
    html += "<tbody>";
    for row in rows {
        let cells: String = row
            .iter()
            .map(|cell| {
                let class = if cell.parse::<f64>().is_ok() || cell == "–" {
                    " class=number"
                } else {
                    ""
                };
                format!("<td{class}>{}</td>", escape(cell))
            })
            .collect();
        html += &format!("<tr>{cells}</tr>");
    }
    html + "</tbody></table></div>"
}

/// Makes text harmless in HTML, in and outside of attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A number in four significant digits, without trailing zeros.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    if !value.is_finite() || !(1e-4..1e7).contains(&size) {
        return if value.is_finite() {
            format!("{value:.2e}")
        } else {
            value.to_string()
        };
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A PNG file as the address of an image.
pub fn data_uri(png: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut uri = String::with_capacity(png.len() * 4 / 3 + 32);
    uri.push_str("data:image/png;base64,");
    for group in png.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                uri.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                uri.push('=');
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_follows_the_examples_of_rfc_4648() {
        let encoded = |text: &[u8]| data_uri(text).replace("data:image/png;base64,", "");
        let texts: [&[u8]; 5] = [b"", b"f", b"fo", b"foo", b"foobar"];
        assert_eq!(texts.map(encoded), ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"]);
    }

    #[test]
    fn code_in_a_sentence_is_code() {
        assert_eq!(prose("a `b<c>` d"), "a <code>b&lt;c&gt;</code> d");
        assert_eq!(prose("5` long & so on"), "5` long &amp; so on");
    }

    #[test]
    fn the_page_begins_with_links_to_its_sections() {
        let body = section("What was found", "", "<p>x</p>") + &folded("Tables", "", "<p>y</p>");
        let links = contents(&body);
        assert!(
            links.contains("<a href=\"#what-was-found\">What was found</a>"),
            "{links}"
        );
        assert!(links.contains("#tables") && contents("").is_empty());
    }

    #[test]
    fn numbers_are_short() {
        let texts = [
            0.0,
            0.5,
            1234.5678,
            -0.000_321,
            1e-9,
            12_000.0,
            f64::INFINITY,
        ]
        .map(short);
        assert_eq!(
            texts,
            ["0", "0.5", "1235", "-0.000321", "1.00e-9", "12000", "inf"]
        );
    }
}
