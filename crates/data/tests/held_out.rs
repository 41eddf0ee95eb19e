//! What is held out of one place by a file of ids, or by a column.

#![allow(clippy::unwrap_used, clippy::panic)]

mod pictures;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::{DataSet, DataSource, Limits};
use afterimage_hooks::{SampleId, Split};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use pictures::{assert_same_images, load, pictures, said, source};
use tempfile::TempDir;

fn names(set: &DataSet, split: Split) -> Vec<String> {
    let set = set.split(split);
    let ids = (0..set.len() as u32).map(SampleId);
    ids.map(|id| set.name(id).unwrap().to_string()).collect()
}

/// Two classes of six pictures, `0/0.png` to `1/5.png`, and beside them the file of ids.
fn place() -> (TempDir, PathBuf, PathBuf, Vec<(String, u32)>) {
    let (photos, names) = pictures(2, 6, &["png"]);
    let dir = TempDir::new().unwrap();
    let moved = dir.path().join("photos");
    fs::create_dir(&moved).unwrap();
    for (name, _) in &names {
        let to = moved.join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(photos.path().join(name), to).unwrap();
    }
    let ids = dir.path().join("ids.txt");
    (dir, moved, ids, names)
}

fn folder(photos: &Path, ids: &Path, more: &str) -> DataSource {
    source(&format!(
        "kind = 'folder'\ntrain = {photos:?}\nheld_out_ids = {ids:?}\nsize = 8\n{more}"
    ))
}

#[test]
fn a_folder_is_split_by_names_and_by_numbers_alike_in_memory_and_lazily() {
    let (dir, photos, ids, all) = place();
    fs::write(&ids, "\u{feff}1/4.png\r\n\r\n0/1.png\n5\n").unwrap();
    let held = ["0/1.png", "0/5.png", "1/4.png"];
    let kept: Vec<&str> = all
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !held.contains(name))
        .collect();
    let eager = load(&folder(&photos, &ids, "")).unwrap();
    assert_eq!(names(&eager, Split::HeldOut), held);
    assert_eq!(names(&eager, Split::Train), kept);
    assert_eq!(eager.held_out.labels(), [0, 0, 1]);
    let lazy = load(&folder(&photos, &ids, "lazy = true\n")).unwrap();
    assert_eq!(names(&lazy, Split::HeldOut), held);
    assert_eq!(names(&lazy, Split::Train), kept);
    assert_same_images(&eager, &lazy);
    // The order of the ids is not that of the images.
    fs::write(&ids, "5\n1\n10\n").unwrap();
    let again = load(&folder(&photos, &ids, "lazy = true\n")).unwrap();
    assert_same_images(&eager, &again);
    assert_eq!(again.digest(), lazy.digest());

    // Tables with a column of ids, and the table that lists the samples of a run.
    let table = dir.path().join("ids.csv");
    fs::write(&table, "why;id\nblurred;1/4.png\n;5\n\ndark;0/1.png\n").unwrap();
    let data = load(&folder(&photos, &table, "")).unwrap();
    assert_same_images(&eager, &data);
    let samples = dir.path().join("samples.tsv");
    fs::write(
        &samples,
        "id\tsplit\tfile\tmember\n0\ttrain\t0/0.png\t\n0\theld_out\t0/1.png\t\n1\theld_out\t0/5.png\t\n\
         2\theld_out\t1/4.png\t\n",
    )
    .unwrap();
    let data = load(&folder(&photos, &samples, "")).unwrap();
    assert_same_images(&eager, &data);

    // Limits come behind the split.
    let limits = Limits {
        train: Some(4),
        held_out: Some(2),
    };
    let some = folder(&photos, &ids, "lazy = true\n").load(limits).unwrap();
    assert_eq!(
        names(&some, Split::Train),
        ["0/0.png", "0/2.png", "1/0.png", "1/1.png"]
    );
    assert_eq!(names(&some, Split::HeldOut), ["0/1.png", "1/4.png"]);
}

#[test]
fn ids_that_cannot_be_are_told_with_their_line() {
    let (dir, photos, ids, _) = place();
    for more in ["", "lazy = true\n"] {
        let refused = |text: &str, words: &[&str]| {
            fs::write(&ids, text).unwrap();
            said(&folder(&photos, &ids, more), words);
        };
        refused(
            "3\n0/9.png\n",
            &[
                "ids.txt: line 2: there is no image 0/9.png",
                "as 0/0.png, or a number from 0 to 11",
            ],
        );
        refused("12\n", &["line 1: there is no image 12"]);
        refused("99999999999999999999999\n", &["line 1", "from 0 to 11"]);
        refused(
            "01\n",
            &["line 1: there is no image 01", "without zeros in front"],
        );
        refused(
            "0/1.png\n\n0/1.png\n",
            &["line 3: 0/1.png is listed already, in line 1"],
        );
        refused(
            "0/1.png\n4\n1\n",
            &["line 3: 1 is image 1, which is listed already, in line 1"],
        );
        refused("2\n2\n", &["line 2", "listed already, in line 1"]);
        refused("\n \n", &["ids.txt: it names no image"]);
        let all: String = (0..12).map(|at| format!("{at}\n")).collect();
        refused(&all, &["it holds out all 12 images"]);
        refused("PAR1", &["this is a Parquet file; name it .parquet"]);
        said(
            &folder(&photos, &dir.path().join("none.txt"), more),
            &["none.txt"],
        );
    }
    fs::write(&ids, b"0/1.png\n\xff\xfe\n").unwrap();
    said(&folder(&photos, &ids, ""), &["line 2 is no Unicode text"]);
    let table = dir.path().join("ids.csv");
    fs::write(&table, "name,x\n3,4\n").unwrap();
    said(
        &folder(&photos, &table, ""),
        &["there is no column \"id\"; the columns are name, x"],
    );
    fs::write(&table, "id,x\n3,4\n,5\n").unwrap();
    said(&folder(&photos, &table, ""), &["line 3 has no id"]);
    fs::write(&table, "id,x\n3,4\n5,6\n7\n").unwrap();
    said(
        &folder(&photos, &table, ""),
        &["ids.csv: line 4: 1 cells, where the first line has 2"],
    );
    fs::write(&table, "\"a\nb\",x\n3,4\n").unwrap();
    said(
        &folder(&photos, &table, ""),
        &["the columns are a\\u000ab, x;"],
    );
    fs::write(&table, "id,id\n1,2\n").unwrap();
    said(
        &folder(&photos, &table, ""),
        &["two columns have the name \"id\""],
    );
    // In a table of samples all are names.
    let samples = dir.path().join("samples.tsv");
    fs::write(&samples, "id\tsplit\tfile\tmember\n0\theld_out\t3\t\n").unwrap();
    said(&folder(&photos, &samples, ""), &["there is no image 3"]);
    fs::write(&table, "id\n3\n\n\n3\n").unwrap();
    said(
        &folder(&photos, &table, ""),
        &["line 5: 3 is image 3, which is listed already, in line 2"],
    );
    let problem = |more: &str| folder(&photos, &ids, more).problems();
    let told = problem("held_out = 'x'\n");
    assert_eq!(told[0].0, "held_out_ids");
    let told = problem("hold_out_every = 3\n");
    assert_eq!(told[0].0, "hold_out_every");
    assert!(told[0].1.contains("held_out_ids is given"), "{}", told[0].1);
}

/// A shard of Parquet with images, labels, a fold as a number and one as a text.
fn shard(path: &Path, photos: &Path, rows: &[(String, u32)], folds: &[(i64, &str)]) {
    let schema = "message schema { required binary image; required int64 label; required int64 fold; \
                  required binary part (UTF8); required boolean odd; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let images = rows
        .iter()
        .map(|(name, _)| fs::read(photos.join(name)).unwrap().into());
    let parts = folds.iter().map(|(_, part)| ByteArray::from(*part));
    let labels = rows.iter().map(|(_, label)| i64::from(*label));
    let numbers = [
        labels.collect::<Vec<_>>(),
        folds.iter().map(|(fold, _)| *fold).collect(),
    ];
    let texts: [Vec<ByteArray>; 2] = [images.collect(), parts.collect()];
    let odd: Vec<bool> = folds.iter().map(|(fold, _)| fold % 2 == 1).collect();
    for column in [0, 1, 2, 3, 4] {
        let mut next = group.next_column().unwrap().unwrap();
        match column {
            4 => {
                let typed = next.typed::<BoolType>();
                typed.write_batch(&odd, None, None).unwrap();
            }
            1 | 2 => {
                let typed = next.typed::<Int64Type>();
                typed.write_batch(&numbers[column - 1], None, None).unwrap();
            }
            _ => {
                let typed = next.typed::<ByteArrayType>();
                typed.write_batch(&texts[column / 3], None, None).unwrap();
            }
        }
        next.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn parquet_is_split_by_a_column_over_its_shards_and_by_ids() {
    let (dir, photos, ids, all) = place();
    let place = dir.path().join("data");
    fs::create_dir(&place).unwrap();
    let folds: Vec<(i64, &str)> = (0..12)
        .map(|at| {
            (
                at % 4,
                ["train", "train", "test", "validation"][at as usize % 4],
            )
        })
        .collect();
    shard(&place.join("a.parquet"), &photos, &all[..5], &folds[..5]);
    shard(&place.join("b.parquet"), &photos, &all[5..], &folds[5..]);
    let of = |more: &str| {
        source(&format!(
            "kind = 'parquet'\ntrain = {place:?}\nsize = 8\n{more}"
        ))
    };
    // The same images of the folder.
    let expected = |held: &[usize]| {
        let lines: String = held.iter().map(|at| format!("{at}\n")).collect();
        fs::write(&ids, lines).unwrap();
        load(&folder(&photos, &ids, "")).unwrap()
    };
    let third = expected(&[2, 6, 10]);
    let mut notes = Vec::new();
    let source = of("split = 'fold'\nheld_out_value = '2'\n");
    let data = source.load_telling(Limits::default(), &mut notes).unwrap();
    assert_same_images(&third, &data);
    let told = "3 images are held out, those with \"2\" in the column \"fold\"; trained on are 9 with \"0\", \
                \"1\", \"3\"";
    assert!(notes.iter().any(|note| note == told), "{notes:?}");
    assert_eq!(
        names(&data, Split::HeldOut),
        ["a.parquet[2]", "b.parquet[1]", "b.parquet[5]"]
    );
    assert_same_images(
        &third,
        &load(&of("split = 'part'\nheld_out_value = 'test'\n")).unwrap(),
    );
    let cache = dir.path().join("cache");
    let cached = of(&format!(
        "split = 'fold'\nheld_out_value = '2'\ncache = {cache:?}\n"
    ));
    assert_same_images(&third, &load(&cached).unwrap());
    let list = dir.path().join("list.txt");
    fs::write(&list, "b.parquet[5]\n2\nb.parquet[1]\n").unwrap();
    let by_ids = of(&format!("held_out_ids = {list:?}\n"));
    assert_same_images(&third, &load(&by_ids).unwrap());
    // Truths are told as programs write them into CSV files.
    let odd = of("split = 'odd'\nheld_out_value = 'True'\n");
    assert_same_images(&expected(&[1, 3, 5, 7, 9, 11]), &load(&odd).unwrap());
    let by_number = of("split = 'odd'\nheld_out_value = '1'\n");
    assert_same_images(&load(&odd).unwrap(), &load(&by_number).unwrap());
    // The usual words.
    let words = expected(&[2, 3, 6, 7, 10, 11]);
    assert_same_images(&words, &load(&of("split = 'part'\n")).unwrap());

    said(
        &of("split = 'fold'\n"),
        &[
            "a.parquet: row 0: the split is \"0\"",
            "data.held_out_value",
        ],
    );
    said(
        &of("split = 'part'\nheld_out_value = 'tset'\n"),
        &[
            "no image has \"tset\"",
            "\"test\", \"train\", \"validation\"",
        ],
    );
    said(
        &of("split = 'parts'\n"),
        &[
            "a.parquet: there is no column \"parts\", which data.split names",
            "fold, part",
        ],
    );
    said(&of("split = 'image'\n"), &["a.parquet"]);
    let problem = |more: &str| of(more).problems()[0].0;
    assert_eq!(problem("held_out_value = 'x'\n"), "held_out_value");
    assert_eq!(problem("split = 'part'\nheld_out = 'x'\n"), "split");
    assert_eq!(
        problem("split = 'part'\nheld_out_ids = 'x'\n"),
        "held_out_ids"
    );
    assert_eq!(
        problem("split = 'part'\nhold_out_every = 2\n"),
        "hold_out_every"
    );
    shard(
        &place.join("a.parquet"),
        &photos,
        &all[..5],
        &[(2, "test"); 5],
    );
    shard(
        &place.join("b.parquet"),
        &photos,
        &all[5..],
        &[(2, "test"); 7],
    );
    said(
        &of("split = 'part'\nheld_out_value = 'test'\n"),
        &["it lists 12 images, 12 of them held out"],
    );
}

#[test]
fn lists_are_split_by_any_value_and_by_ids() {
    let (dir, photos, ids, all) = place();
    let list = dir.path().join("list.csv");
    let rows: String = (0..12)
        .map(|at| format!("photos/{},{},{}\n", all[at].0, all[at].1, at % 4))
        .collect();
    fs::write(&list, format!("path,label,fold\n{rows}")).unwrap();
    let of = |more: &str| {
        source(&format!(
            "kind = 'csv'\nfile = {list:?}\nlabel = 'label'\nsize = 8\n{more}"
        ))
    };
    fs::write(&ids, "2\n6\n10\n").unwrap();
    let third = load(&folder(&photos, &ids, "")).unwrap();
    let by_value = of("split = 'fold'\nheld_out_value = '2'\n");
    assert_same_images(&third, &load(&by_value).unwrap());
    let by_ids = of(&format!("held_out_ids = {ids:?}\n"));
    assert_same_images(&third, &load(&by_ids).unwrap());
    fs::write(&ids, "photos/1/4.png\nphotos/0/2.png\n6\n").unwrap();
    assert_same_images(&third, &load(&by_ids).unwrap());
    said(
        &of("split = 'fold'\nheld_out_value = '7'\n"),
        &["list.csv: no image has \"7\"", "\"0\", \"1\", \"2\", \"3\""],
    );
    said(
        &of("split = 'fold'\n"),
        &["line 2: the split is \"0\"", "data.held_out_value"],
    );
    // One file under two numbers must not be on both sides.
    fs::write(
        &list,
        format!("path,label,fold\n{rows}photos/0/2.png,0,3\n"),
    )
    .unwrap();
    fs::write(&ids, "2\n6\n").unwrap();
    said(
        &by_ids,
        &["photos/0/2.png is listed for training and as held out, as its images 3 and 13"],
    );
    fs::write(&ids, "photos/0/2.png\n").unwrap();
    said(
        &by_ids,
        &["is the name of two images at least, number 2 and number 12"],
    );
}

#[test]
fn a_name_that_breaks_a_line_is_found_as_lists_show_it() {
    let (dir, photos, ids, _) = place();
    let strange = "0/5\n\u{1b}.png";
    fs::rename(photos.join("0/5.png"), photos.join(strange)).unwrap();
    let shown = "0/5\\u000a\\u001b.png";
    for more in ["", "lazy = true\n"] {
        fs::write(&ids, format!("{shown}\n1/4.png\n")).unwrap();
        let data = load(&folder(&photos, &ids, more)).unwrap();
        assert_eq!(names(&data, Split::HeldOut), [shown, "1/4.png"]);
    }
    let table = dir.path().join("ids.csv");
    fs::write(&table, format!("id\n\"{strange}\"\n1/4.png\n")).unwrap();
    let data = load(&folder(&photos, &table, "")).unwrap();
    assert_eq!(names(&data, Split::HeldOut), [shown, "1/4.png"]);
    fs::write(&ids, format!("{shown}\n5\n")).unwrap();
    said(
        &folder(&photos, &ids, ""),
        &["line 2: 5 is image 5, which is listed already, in line 1"],
    );
}

#[test]
fn tar_shards_are_split_by_members() {
    let (dir, photos, ids, all) = place();
    let place = dir.path().join("shards");
    fs::create_dir(&place).unwrap();
    for (number, part) in all.chunks(6).enumerate() {
        let file = fs::File::create(place.join(format!("{number}.tar"))).unwrap();
        let mut shard = tar::Builder::new(file);
        for (at, (name, label)) in part.iter().enumerate() {
            let label = label.to_string();
            let image = fs::read(photos.join(name)).unwrap();
            for (end, content) in [("png", image), ("cls", label.into_bytes())] {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                let name = format!("{at:04}.{end}");
                shard
                    .append_data(&mut header, name, content.as_slice())
                    .unwrap();
            }
        }
        shard.finish().unwrap();
    }
    fs::write(&ids, "2\n6\n10\n").unwrap();
    let third = load(&folder(&photos, &ids, "")).unwrap();
    let by_ids = source(&format!(
        "kind = 'tar'\ntrain = {place:?}\nheld_out_ids = {ids:?}\nsize = 8\n"
    ));
    assert_same_images(&third, &load(&by_ids).unwrap());
    fs::write(&ids, "0.tar[0002.png]\n6\n1.tar[0004.png]\n").unwrap();
    assert_same_images(&third, &load(&by_ids).unwrap());
    fs::write(&ids, "0002.png\n").unwrap();
    said(
        &by_ids,
        &[
            "line 1: 0002.png is the name of two images",
            "1.tar[0002.png]",
        ],
    );
    // A key is not taken for a number.
    fs::write(&ids, "0002\n").unwrap();
    said(&by_ids, &["there is no image 0002", "as 0.tar[0000.png]"]);
    // Bytes that are no tar file are no text either.
    let damaged: Vec<u8> = (0..2048u32).map(|at| (at % 7) as u8).collect();
    fs::write(place.join("0.tar"), damaged).unwrap();
    said(
        &by_ids,
        &["0.tar: damaged at its beginning", "or it is cut off"],
    );
}
