//! Pictures of samples, and what they show.

use afterimage_hooks::Column;
use afterimage_report::{Fold, Section, Table, aligned, data_uri};
use maud::{Markup, html};

use super::load::{Picture, Run};

/// Pictures of one kind that are shown at once; the others are folded away.
const OPEN: usize = 2;
/// Bytes of pictures on a page, so that it opens at once; what is beyond them is named by its folder.
const BYTES: usize = 1_500_000;

/// Pictures: the last one large, earlier ones folded away.
pub fn pictures(run: &Run) -> Section {
    let mut section = Section::new("Pictures");
    let mut room = BYTES;
    let mut owners = Vec::new();
    for (tag, pictures) in &run.pictures {
        match tag.strip_prefix("unitmem/owners/") {
            Some(site) => owners.push((place(run, site), site, pictures)),
            None => {
                let below = remembered(run, tag);
                let strip = Strip::of(run, tag, pictures);
                section = section.content(strip.shown(&caption(tag), below, &mut room));
            }
        }
    }
    // The deepest layers come first: what is memorized shows there.
    owners.sort_by_key(|owner| std::cmp::Reverse(owner.0));
    let mut folded = Vec::new();
    for (at, (_, site, pictures)) in owners.into_iter().enumerate() {
        let caption = format!(
            "Training images that answer most in the units of highest UnitMem of {site}, highest first"
        );
        let tag = format!("unitmem/owners/{site}");
        let one = Strip::of(run, &tag, pictures).shown(&caption, None, &mut room);
        match at < OPEN {
            true => section = section.content(one),
            false => folded.push(one),
        }
    }
    match folded.is_empty() {
        true => section,
        false => {
            let strips = html! { @for strip in folded { (strip) } };
            section.content(Fold::new("layers before them", strips))
        }
    }
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

    fn image(&self, picture: &Picture) -> Markup {
        html! {
            figure.picture {
                img src=(data_uri(&picture.png)) width=(picture.width) height=(picture.height)
                    alt={ (self.tag) ", epoch " (picture.epoch) };
                figcaption { "epoch " (picture.epoch) }
            }
        }
    }

    /// The last picture large, earlier ones folded, and `below` them what they show, as far as there is
    /// `room` on the page.
    fn shown(&self, caption: &str, below: Option<Table>, room: &mut usize) -> Markup {
        let mut shown = 0;
        let mut fits = |picture: &&Picture| {
            let left = room.checked_sub(picture.png.len());
            *room = left.unwrap_or(*room);
            shown += usize::from(left.is_some());
            left.is_some()
        };
        let Some((last, before)) = self.pictures.split_last() else {
            return Markup::default();
        };
        let last = Some(last).filter(&mut fits);
        let earlier: Vec<&Picture> = before.iter().filter(&mut fits).collect();
        html! {
            div.pictures {
                h3 { (caption) }
                @if let Some(last) = last { (self.image(last)) }
                @if let Some(table) = below { (table) }
                @if !earlier.is_empty() {
                    (Fold::new("earlier epochs", html! {
                        @for picture in earlier { (self.image(picture)) }
                    }))
                }
                @if shown < self.taken {
                    p.note {
                        (shown) " of " (self.taken) " pictures are here, so that the page stays small; all are in "
                        code { "images/" (self.tag.replace('/', ".")) }
                    }
                }
            }
        }
    }
}

/// Scores and names of the candidates in the picture of the same tag, in its order.
fn remembered(run: &Run, tag: &str) -> Option<Table> {
    let name = tag.replace('/', ".");
    let snapshot = run.tables.iter().find(|snapshot| snapshot.name == name)?;
    let column = |name: &str| snapshot.table.column(name);
    let (Some(Column::I64(points)), Some(Column::F64(scores)), Some(Column::F64(above))) =
        (column("point"), column("score"), column("held_out_above"))
    else {
        return None;
    };
    let rows = points.iter().enumerate().map(|(row, point)| {
        let file = run.names.of_cell(&snapshot.table, "point", row);
        [
            format!("#{point}"),
            file.unwrap_or("–").to_owned(),
            aligned(scores[row]),
            aligned(above[row]),
        ]
    });
    let header = [
        "image",
        "file",
        "LayerMem",
        "share of held-out images above it",
    ];
    Some(Table::new(&header).rows(rows))
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
        let html = strip.shown("c", None, &mut room).into_string();
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
