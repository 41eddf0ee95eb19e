//! Pictures of samples, and what they show.

use afterimage_hooks::Column;

use super::load::{Picture, Run};
use super::page::{data_uri, escape, section, short, table};

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
                html += &strip(tag, &caption(tag), pictures, &below, &mut room);
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
        let one = strip(&tag, &caption, pictures, "", &mut room);
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

/// The last picture of a tag large, earlier ones folded, and `below` them what they show, as far as there
/// is `room` on the page.
fn strip(tag: &str, caption: &str, pictures: &[Picture], below: &str, room: &mut usize) -> String {
    let mut fits = |picture: &&Picture| {
        let left = room.checked_sub(picture.png.len());
        *room = left.unwrap_or(*room);
        left.is_some()
    };
    let image = |picture: &Picture| {
        format!(
            "<figure class=picture><img src=\"{}\" width={} height={} alt=\"{}, epoch {}\"><figcaption>epoch {}</figcaption></figure>",
            data_uri(&picture.png),
            picture.width,
            picture.height,
            escape(tag),
            picture.epoch,
            picture.epoch
        )
    };
    let Some((last, before)) = pictures.split_last() else {
        return String::new();
    };
    let mut html = format!("<div class=pictures><h3>{}</h3>", escape(caption));
    if fits(&last) {
        html += &image(last);
    }
    html += below;
    let earlier: Vec<&Picture> = before.iter().filter(&mut fits).collect();
    if !earlier.is_empty() {
        let shown: String = earlier.iter().map(|picture| image(picture)).collect();
        html += &format!("<details><summary>earlier epochs</summary>{shown}</details>");
    }
    let shown = html.matches("<img").count();
    if shown < pictures.len() {
        html += &format!(
            "<p class=note>{} of {} pictures are here, so that the page stays small; all are in <code>images/{}</code></p>",
            shown,
            pictures.len(),
            escape(&tag.replace('/', "."))
        );
    }
    html + "</div>"
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
                short(scores[row]),
                short(above[row]),
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
        let html = strip("a/b", "c", &pictures, "", &mut room);
        assert!(
            html.contains("epoch 3<") && html.contains("epoch 2<"),
            "{html}"
        );
        assert!(!html.contains("epoch 1<"), "{html}");
        assert!(
            html.contains("2 of 3 pictures") && html.contains("images/a.b"),
            "{html}"
        );
        assert_eq!(room, 40);
    }
}
