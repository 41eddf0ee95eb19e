//! The frame of the page, and the pieces of HTML that the sections are made of.

use super::load::Run;
use super::{layers, sections};

const STYLE: &str = include_str!("style.css");

/// Puts the page together.
pub fn render(run: &Run) -> String {
    let mut body = format!("<h1>{}</h1>", escape(&run.name));
    if let Some((step, epoch)) = run.last {
        body += &format!("<p class=note>{epoch} epochs, {step} steps on record</p>");
    }
    body += &damage(run);
    for part in [
        sections::found,
        summary,
        sections::training,
        sections::evaluation,
        sections::memorization,
        layers::layers,
        sections::histograms,
        sections::pictures,
        sections::others,
        sections::cost,
        sections::tables,
        configuration,
    ] {
        body += &part(run);
    }
    document(&run.name, &body)
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
        "<div class=warning><strong>Not shown, because it cannot be read:</strong><ul>{lines}</ul></div>"
    )
}

/// The simple entries of the manifest, and the last loss and evaluations.
fn summary(run: &Run) -> String {
    let mut rows = Vec::new();
    if let Some(serde_json::Value::Object(manifest)) = &run.manifest {
        for (key, value) in manifest {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(flag) => flag.to_string(),
                serde_json::Value::Array(items) => {
                    let words: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
                    if words.len() != items.len() {
                        continue;
                    }
                    words.join(", ")
                }
                serde_json::Value::Null | serde_json::Value::Object(_) => continue,
            };
            let text = if key.ends_with("sha256") {
                shortened(&text)
            } else {
                text
            };
            rows.push(vec![key.clone(), text]);
        }
    }
    for scalar in run
        .scalars
        .iter()
        .filter(|s| s.tag.starts_with("loss/") || s.tag.starts_with("eval/"))
    {
        let step = scalar.points.last().map_or(0.0, |point| point.0);
        let earlier = run.last.is_some_and(|(last, _)| step < last as f64);
        let when = match earlier {
            true => format!(" (step {step})"),
            false => String::new(),
        };
        rows.push(vec![scalar.tag.clone(), short(scalar.last()) + &when]);
    }
    section(
        "Summary",
        "",
        &if rows.is_empty() {
            String::new()
        } else {
            table(&[], &rows)
        },
    )
}

/// The first digits of each digest; the manifest has them whole.
fn shortened(digests: &str) -> String {
    let parts: Vec<String> = digests
        .split('+')
        .map(|digest| digest.chars().take(16).collect())
        .collect();
    parts.join(" + ")
}

fn configuration(run: &Run) -> String {
    let Some(config) = &run.config else {
        return String::new();
    };
    let shown = format!(
        "<details><summary>config.toml</summary><pre>{}</pre></details>",
        escape(config)
    );
    section("Configuration", "", &shown)
}

/// A section, or nothing if it has no content.
pub fn section(title: &str, note: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    let note = if note.is_empty() {
        String::new()
    } else {
        format!("<p class=note>{note}</p>")
    };
    let grid = if content.starts_with("<figure") {
        " class=grid"
    } else {
        ""
    };
    format!("<section><h2>{title}</h2>{note}<div{grid}>{content}</div></section>")
}

/// A table of text; numbers are aligned on the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = "<div class=scroll><table>".to_owned();
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
