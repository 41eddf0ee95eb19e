//! Image folders.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use afterimage_data::{DataError, DataSet, DataSource, Limits, Problems};
use afterimage_hooks::SampleId;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

fn solid(path: &Path, width: u32, height: u32, colour: [u8; 3]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(width, height, Rgb(colour))
        .save(path)
        .unwrap();
}

fn folder(train: &Path, size: usize, channels: usize) -> DataSource {
    DataSource::Folder {
        train: train.to_owned(),
        held_out: None,
        held_out_ids: None,
        hold_out_every: Some(3),
        size,
        channels: Some(channels),
        lazy: false,
        on_bad: None,
    }
}

fn load(source: &DataSource) -> Result<DataSet, DataError> {
    source.load(Limits::default())
}

/// Two classes of four solid pictures each, of many sizes and formats.
fn two_classes() -> TempDir {
    let dir = TempDir::new().unwrap();
    for (class, red) in [("ash", 10), ("birch", 200)] {
        for (at, (name, w, h)) in [
            ("a.png", 8, 8),
            ("b.bmp", 20, 9),
            ("c.tiff", 5, 30),
            ("d.gif", 8, 3),
        ]
        .into_iter()
        .enumerate()
        {
            solid(
                &dir.path().join(class).join(name),
                w,
                h,
                [red, 5 * at as u8, 0],
            );
        }
    }
    dir
}

#[test]
fn classes_are_folders_and_sizes_become_one() {
    let dir = two_classes();
    let data = load(&folder(dir.path(), 8, 3)).unwrap();
    assert_eq!(data.train.classes(), ["ash", "birch"]);
    // Every third file of each class is held out: c.tiff.
    assert_eq!(data.train.labels(), [0, 0, 0, 1, 1, 1]);
    assert_eq!(data.held_out.labels(), [0, 1]);
    let name = data.held_out.name(SampleId(1)).unwrap();
    assert_eq!((name.file, name.member), ("birch/c.tiff", None));
    let image = data.train.image(SampleId(4)).unwrap();
    assert_eq!(image.pixels.len(), 3 * 64);
    assert!(image.pixels[..64].iter().all(|&v| v == 200));
    assert!(image.pixels[64..128].iter().all(|&v| v == 5));
    assert!(
        data.held_out.image(SampleId(0)).unwrap().pixels[64..128]
            .iter()
            .all(|&v| v == 10)
    );
    assert_eq!(load(&folder(dir.path(), 8, 3)).unwrap(), data);
}

#[test]
fn transparency_lies_over_white_and_gray_is_luma() {
    let dir = TempDir::new().unwrap();
    let class = dir.path().join("x");
    fs::create_dir(&class).unwrap();
    RgbaImage::from_pixel(4, 4, Rgba([0, 0, 0, 0]))
        .save(class.join("1.png"))
        .unwrap();
    RgbaImage::from_pixel(4, 4, Rgba([100, 0, 0, 128]))
        .save(class.join("2.png"))
        .unwrap();
    solid(&class.join("3.png"), 4, 4, [255, 0, 0]);
    GrayImage::from_pixel(4, 4, Luma([77]))
        .save(class.join("4.png"))
        .unwrap();
    let source = |channels| folder(dir.path(), 4, channels);
    let colour = load(&source(3)).unwrap();
    let first = |at: u32| {
        let pixels = colour.train.image(SampleId(at)).unwrap().pixels;
        [pixels[0], pixels[16], pixels[32]]
    };
    // 100 · 128/255 + 255 · 127/255 = 177.2; 255 · 127/255 = 127.
    assert_eq!(
        (first(0), first(1), first(2)),
        ([255; 3], [177, 127, 127], [77; 3])
    );
    let gray = load(&source(1)).unwrap();
    assert_eq!(*gray.held_out.image(SampleId(0)).unwrap().pixels, [76; 16]);
}

#[test]
fn all_damaged_files_are_named_at_once() {
    let dir = two_classes();
    fs::write(dir.path().join("ash/e.png"), b"not a picture").unwrap();
    fs::write(dir.path().join("ash/f.jpg"), b"").unwrap();
    let whole = fs::read(dir.path().join("birch/a.png")).unwrap();
    fs::write(dir.path().join("birch/e.png"), &whole[..whole.len() / 2]).unwrap();
    for number in 0..30 {
        fs::write(dir.path().join(format!("birch/z{number:02}.webp")), b"RIFF").unwrap();
    }
    let error = DataSource::Folder {
        train: dir.path().to_owned(),
        held_out: Some(dir.path().to_owned()),
        held_out_ids: None,
        hold_out_every: None,
        size: 8,
        channels: None,
        lazy: false,
        on_bad: None,
    }
    .load(Limits::default())
    .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("33 unusable image files") && message.contains("and 13 more"),
        "{message}"
    );
    let DataError::Files {
        problems: Problems { listed, total: 33 },
        ..
    } = error
    else {
        unreachable!("{message}")
    };
    let names: Vec<_> = listed
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        (names.len(), &names[..4]),
        (20, &["e.png", "f.jpg", "e.png", "z00.webp"][..])
    );
}

#[test]
fn damaged_files_of_both_splits_are_named_at_once() {
    let dir = two_classes();
    // Every third file of a class is held out: c.tiff.
    fs::write(dir.path().join("ash/a.png"), b"").unwrap();
    fs::write(dir.path().join("birch/c.tiff"), b"<html></html>").unwrap();
    let message = load(&folder(dir.path(), 8, 3)).unwrap_err().to_string();
    for part in ["2 unusable image files", "ash/a.png", "birch/c.tiff"] {
        assert!(message.contains(part), "{message}");
    }
    // A folder of its own for each split.
    let other = two_classes();
    fs::write(other.path().join("birch/d.gif"), b"GIF").unwrap();
    let source = DataSource::Folder {
        train: dir.path().to_owned(),
        held_out: Some(other.path().to_owned()),
        held_out_ids: None,
        hold_out_every: None,
        size: 8,
        channels: None,
        lazy: false,
        on_bad: None,
    };
    let message = load(&source).unwrap_err().to_string();
    for part in ["3 unusable image files", "ash/a.png", "birch/d.gif"] {
        assert!(message.contains(part), "{message}");
    }
    fs::remove_dir_all(dir.path().join("birch")).unwrap();
    fs::create_dir(dir.path().join("birch")).unwrap();
    fs::create_dir(dir.path().join("cedar")).unwrap();
    let message = load(&folder(dir.path(), 8, 3)).unwrap_err().to_string();
    assert!(
        message.contains("birch: the class folder holds no image file; nor do")
            && message.contains("cedar"),
        "{message}"
    );
}

#[test]
fn files_that_are_passed_over_are_counted_and_named() {
    let dir = two_classes();
    let quiet = |source: &DataSource| {
        let mut notes = Vec::new();
        let data = source.load_telling(Limits::default(), &mut notes).unwrap();
        (data, notes)
    };
    let (data, notes) = quiet(&folder(dir.path(), 8, 3));
    assert_eq!(notes, [""; 0]);
    fs::write(dir.path().join("ash/.hidden"), b"").unwrap();
    assert_eq!(quiet(&folder(dir.path(), 8, 3)), (data.clone(), notes));
    for name in ["e.heic", "f.avif", "g.svg", "noextension"] {
        fs::write(dir.path().join("ash").join(name), b"x").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("/nowhere/a.png", dir.path().join("birch/z.png")).unwrap();
    #[cfg(not(unix))]
    fs::write(dir.path().join("birch/z"), b"x").unwrap();
    let (same, notes) = quiet(&folder(dir.path(), 8, 3));
    assert_eq!(same, data);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].starts_with("5 files are no images that can be read: ")
            && notes[0].contains("ash/e.heic, ")
            && notes[0].contains("birch/z"),
        "{notes:?}"
    );
    fs::write(dir.path().join("readme.txt"), b"x").unwrap();
    let (_, notes) = quiet(&folder(dir.path(), 8, 3));
    assert!(
        notes[0].starts_with("6 files") && notes[0].ends_with("and 1 more"),
        "{notes:?}"
    );
}

/// A JPEG whose orientation tag says `orientation`, of a picture with a black left half.
fn tagged(orientation: u8) -> Vec<u8> {
    let picture = GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 0 } else { 255 }]));
    let mut jpeg = Vec::new();
    picture
        .write_to(
            &mut std::io::Cursor::new(&mut jpeg),
            image::ImageFormat::Jpeg,
        )
        .unwrap();
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut segment = vec![0xff, 0xe1];
    segment.extend((exif.len() as u16 + 2).to_be_bytes());
    segment.extend(exif);
    jpeg.splice(2..2, segment);
    jpeg
}

#[test]
fn photographs_are_turned_upright() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("x")).unwrap();
    // As stored, half a turn, a quarter turn clockwise; the last is held out.
    for (name, orientation) in [("1.jpg", 1), ("2.jpg", 3), ("3.jpg", 6)] {
        fs::write(dir.path().join("x").join(name), tagged(orientation)).unwrap();
    }
    let data = load(&folder(dir.path(), 16, 1)).unwrap();
    let corners = |pixels: &[u8]| [0, 15, 240, 255].map(|at| pixels[at] > 127);
    let train = |at| corners(&data.train.image(SampleId(at)).unwrap().pixels);
    assert_eq!(train(0), [false, true, false, true]);
    assert_eq!(train(1), [true, false, true, false]);
    let turned = corners(&data.held_out.image(SampleId(0)).unwrap().pixels);
    assert_eq!(turned, [false, false, true, true]);
}

/// A PNG whose header promises so many pixels, with its checksum, and that has none.
fn promised(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    };
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&sides[..], &[8, 0, 0, 0, 0]].concat());
    chunk(b"IDAT", &[]);
    png
}

#[test]
fn a_picture_of_too_many_pixels_is_an_error_before_it_is_decoded() {
    let dir = two_classes();
    let huge = promised(20_000, 20_000);
    fs::write(dir.path().join("ash/huge.png"), huge).unwrap();
    let message = load(&folder(dir.path(), 8, 3)).unwrap_err().to_string();
    assert!(
        message.contains("huge.png") && message.contains("20000×20000"),
        "{message}"
    );
}

#[test]
fn empty_and_misplaced_folders_are_named() {
    let dir = TempDir::new().unwrap();
    let message = |source: &DataSource| load(source).unwrap_err().to_string();
    assert!(message(&folder(dir.path(), 8, 3)).contains("no class folders"));
    fs::create_dir(dir.path().join("ash")).unwrap();
    fs::write(dir.path().join("ash/notes.txt"), "none").unwrap();
    assert!(
        message(&folder(dir.path(), 8, 3)).contains("ash: the class folder holds no image file")
    );
    solid(&dir.path().join("ash/a.png"), 2, 2, [0; 3]);
    assert!(message(&folder(dir.path(), 8, 3)).contains("no class has 3 images"));
    assert!(message(&folder(dir.path(), 0, 3)).starts_with("data.size"));
    assert!(message(&folder(dir.path(), 8, 2)).starts_with("data.channels"));

    let other = two_classes();
    let stranger = DataSource::Folder {
        train: dir.path().to_owned(),
        held_out: Some(other.path().to_owned()),
        held_out_ids: None,
        hold_out_every: None,
        size: 8,
        channels: None,
        lazy: false,
        on_bad: None,
    };
    assert!(message(&stranger).contains("\"birch\" is not among the training classes"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_out_of_the_folder_and_passed_over_inside() {
    use std::os::unix::fs::symlink;
    let dir = two_classes();
    let outside = TempDir::new().unwrap();
    solid(&outside.path().join("far.png"), 8, 8, [1, 2, 3]);
    symlink(
        dir.path().join("ash/a.png"),
        dir.path().join("birch/again.png"),
    )
    .unwrap();
    symlink(
        outside.path().join("far.png"),
        dir.path().join("ash/far.png"),
    )
    .unwrap();
    symlink(
        outside.path().join("far.png"),
        dir.path().join("birch/far.png"),
    )
    .unwrap();
    symlink(dir.path().join("ash"), dir.path().join("copy")).unwrap();
    let data = load(&folder(dir.path(), 8, 3)).unwrap();
    assert_eq!(data.train.classes(), ["ash", "birch"]);
    assert_eq!((data.train.len(), data.held_out.len()), (7, 2));
}

#[test]
fn strips_and_more_images_than_memory_holds_are_refused() {
    let dir = two_classes();
    solid(&dir.path().join("ash/strip.png"), 300_000, 1, [1, 2, 3]);
    let error = load(&folder(dir.path(), 32, 3)).unwrap_err().to_string();
    assert!(
        error.contains("strip.png: 300000×1 pixels are too long"),
        "{error}"
    );
    // By its header: what it lacks behind it is not missed.
    fs::write(
        dir.path().join("ash/strip.png"),
        promised(7, 66_000_000 / 7),
    )
    .unwrap();
    let error = load(&folder(dir.path(), 32, 3)).unwrap_err().to_string();
    let words =
        "strip.png: 7×9428571 pixels are too long for their width to be scaled to 32 pixels";
    assert!(error.contains(words), "{error}");
    fs::remove_file(dir.path().join("ash/strip.png")).unwrap();
    // Links from elsewhere, so that many images take no room on the disk.
    let one = TempDir::new().unwrap();
    solid(&one.path().join("one.png"), 8, 8, [1, 2, 3]);
    for at in 0..30_000 {
        fs::hard_link(
            one.path().join("one.png"),
            dir.path().join(format!("ash/{at}.png")),
        )
        .unwrap();
    }
    let error = load(&folder(dir.path(), 4096, 3)).unwrap_err().to_string();
    assert!(
        error.contains("30008 images of 3 channels and 4096×4096 pixels"),
        "{error}"
    );
}
