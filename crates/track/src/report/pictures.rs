//! Pictures of samples, and what they show.

use afterimage_hooks::Column;

use super::load::{Picture, Run};
use super::page::{data_uri, escape, section, table};
use super::sections::number;

/// Pictures of one kind that are shown at once; the others are folded away.
const OPEN: usize = 2;
/// Bytes of pictures on a page, so that it opens at once; what is beyond them is named by its folder.
const BYTES: usize = 1_500_000;

/// Pictures: the last one large, earlier ones folded away.
pub fn pictures(run: &Run) -> String {
    let mut html = String::new();
    let mut room = BYTES;
    let mut owners = Vec::new();
    for (tag, pictures) in &run.pictures {
        match tag.strip_prefix("unitmem/owners/") {
            Some(site) => owners.push((place(run, site), site, pictures)),
            None => {
                let below = remembered(run, tag);
                let strip = Strip::of(run, tag, pictures);
                html += &strip.html(&caption(tag), &below, &mut room);
            }
        }
    }
    // The deepest layers come first: what is memorized shows there.
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.0));
    let mut folded = String::new();
    for (at, (_, site, pictures)) in owners.into_iter().enumerate() {
        let caption = format!(
            "Training images that answer most in the units of highest UnitMem of {site}, highest first"
        );
        let tag = format!("unitmem/owners/{site}");
        let one = Strip::of(run, &tag, pictures).html(&caption, "", &mut room);
        match at < OPEN {
            true => html += &one,
            false => folded += &one,
        }
    }
    if !folded.is_empty() {
        html += &format!("<details><summary>layers before them</summary>{folded}</details>");
    }
    section("Pictures", "", &html)
}

/// Where `site` stands in the order of the record, which is that of the model.
fn place(run: &Run, site: &str) -> usize {
    let mut layers = run.below("unitmem/mean/train/");
    layers
        .position(|(name, _)| name == site)
        .unwrap_or_default()
}

fn caption(tag: &str) -> String {
    match tag {
        "layermem/remembered" => {
            "Candidates of the highest LayerMem, from left to right".to_owned()
        }
        other => other.to_owned(),
    }
}

/// The pictures of one tag.
struct Strip<'a> {
    tag: &'a str,
    pictures: &'a [Picture],
    /// How many are on record.
    taken: usize,
}

impl<'a> Strip<'a> {
    fn of(run: &Run, tag: &'a str, pictures: &'a [Picture]) -> Self {
        let taken = run.taken.get(tag).copied().unwrap_or(pictures.len());
        Self {
            tag,
            pictures,
            taken,
        }
    }

    fn image(&self, picture: &Picture) -> String {
        format!(
            "<figure class=picture><img src=\"{}\" width={} height={} alt=\"{}, epoch {}\"><figcaption>epoch {}</figcaption></figure>",
            data_uri(&picture.png),
            picture.width,
            picture.height,
            escape(self.tag),
            picture.epoch,
            picture.epoch
        )
    }

    /// The last picture large, earlier ones folded, and `below` them what they show, as far as there is
    /// `room` on the page.
    fn html(&self, caption: &str, below: &str, room: &mut usize) -> String {
        let mut shown = 0;
        let mut fits = |picture: &&Picture| {
            let left = room.checked_sub(picture.png.len());
            *room = left.unwrap_or(*room);
            shown += usize::from(left.is_some());
            left.is_some()
        };
        let Some((last, before)) = self.pictures.split_last() else {
            return String::new();
        };
        let mut html = format!("<div class=pictures><h3>{}</h3>", escape(caption));
        if fits(&last) {
            html += &self.image(last);
        }
        html += below;
        let earlier: Vec<&Picture> = before.iter().filter(&mut fits).collect();
        if !earlier.is_empty() {
            let images: String = earlier.iter().map(|picture| self.image(picture)).collect();
            html += &format!("<details><summary>earlier epochs</summary>{images}</details>");
        }
        if shown < self.taken {
            html += &format!(
                "<p class=note>{shown} of {} pictures are here, so that the page stays small; all are in <code>images/{}</code></p>",
                self.taken,
                escape(&self.tag.replace('/', "."))
            );
        }
        html + "</div>"
    }
}

/// Scores and names of the candidates in the picture of the same tag, in its order.
fn remembered(run: &Run, tag: &str) -> String {
    let name = tag.replace('/', ".");
    let Some(snapshot) = run.tables.iter().find(|snapshot| snapshot.name == name) else {
        return String::new();
    };
    let column = |name: &str| {
        let mut columns = snapshot.table.columns.iter();
        columns.find(|(n, _)| n == name).map(|(_, column)| column)
    };
    let (Some(Column::I64(points)), Some(Column::F64(scores)), Some(Column::F64(above))) =
        (column("point"), column("score"), column("held_out_above"))
    else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = points
        .iter()
        .enumerate()
        .map(|(row, point)| {
            let file = run.names.of_cell(&snapshot.table, "point", row);
            vec![
                format!("#{point}"),
                file.unwrap_or("–").to_owned(),
                number(scores[row]),
                number(above[row]),
            ]
        })
        .collect();
    table(
        &[
            "image",
            "file",
            "LayerMem",
            "share of held-out images above it",
        ],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_picture_goes_first_and_what_has_no_room_is_named() {
        let picture = |epoch, bytes| Picture {
            epoch,
            width: 1,
            height: 1,
            png: vec![0; bytes],
        };
        let pictures = [picture(1, 60), picture(2, 10), picture(3, 50)];
        let mut room = 100;
        let strip = Strip {
            tag: "a/b",
            pictures: &pictures,
            taken: 8,
        };
        let html = strip.html("c", "", &mut room);
        assert!(
            html.contains("epoch 3<") && html.contains("epoch 2<"),
            "{html}"
        );
        assert!(!html.contains("epoch 1<"), "{html}");
        assert!(
            html.contains("2 of 8 pictures") && html.contains("images/a.b"),
            "{html}"
        );
        assert_eq!(room, 40);
    }
}
