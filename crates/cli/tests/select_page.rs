//! The page of `afterimage select`: what was chosen, on a map and beside chance.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;

use std::fs;
use std::path::PathBuf;

use run::Place;
use selected::{LINE, csv, npy, select};

/// Two clouds with names, one of them twice as large, and a file of their classes.
fn clouds(place: &Place) -> [PathBuf; 2] {
    let (mut rows, mut labels) = (String::from("name,x,y,z\n"), String::from("class\n"));
    for at in 0..90u32 {
        let far = if at % 3 == 0 { 40 } else { 0 };
        rows += &format!(
            "<i>{at}</i>,{}.5,{},{}\n",
            far + at * 37 % 11,
            at * 53 % 7,
            at % 2
        );
        labels += if at % 3 == 0 { "a & b\n" } else { "cat\n" };
    }
    [
        place.write("clouds.csv", &rows),
        place.write("labels.csv", &labels),
    ]
}

fn page(place: &Place) -> String {
    fs::read_to_string(place.path("out/report.html")).unwrap()
}

fn summary(place: &Place) -> serde_json::Value {
    let text = fs::read_to_string(place.path("out/summary.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_page_holds_what_was_chosen_and_its_control() {
    let place = Place::new();
    let [rows, labels] = clouds(&place);
    let labels = labels.to_str().unwrap();
    let arguments = ["--count", "9", "--labels", labels, "--id", "name"];
    let ended = select(&place, &rows, &arguments).expect(0, &[]);
    let path = place.path("out").join("report.html");
    assert!(
        ended.out.contains(&path.display().to_string()),
        "{}",
        ended.out
    );
    let html = page(&place);
    for words in [
        "<title>Coreset of clouds.csv</title>",
        "9 of 90 samples, chosen by <code>facility-location</code>.",
        "nearest chosen one of their class add up to",
        "(standard deviation, 5 draws)",
        "nearer than by chance",
        "Drawn are all 9 chosen samples, and all 81 others.",
        "</i>a &amp; b</li>",
        "</i>cat</li>",
        "<td>a &amp; b</td><td class=\"number\">30</td><td class=\"number\">3</td>",
        "<td>cat</td><td class=\"number\">60</td><td class=\"number\">6</td>",
        "Share of samples by distance",
        "at random, one draw",
        "Heaviest of the chosen",
        "first component, ",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("<i>1</i>") && !html.contains("more than once"));
    assert_eq!(html.matches("<circle").count() - dots_of_lines(&html), 90);
    // Each chosen sample by its id, with its weight.
    for line in csv(&place).lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let at = cells[0];
        let class = match at.parse::<u32>().unwrap() % 3 {
            0 => "a &amp; b",
            _ => "cat",
        };
        let title = format!(
            "<title>&lt;i&gt;{at}&lt;/i&gt;, {class}: weight {}</title>",
            cells[1]
        );
        assert!(html.contains(&title), "{title}");
    }
    assert_eq!(summary(&place)["report"], "report.html");
    let map = &summary(&place)["map"];
    assert_eq!(
        (&map["drawn_chosen"], &map["drawn_others"]),
        (&9.into(), &81.into())
    );
    // The clouds lie apart along one direction.
    assert!(map["variance"][0].as_f64().unwrap() > 0.9, "{map}");
}

/// Dots on the histogram, which are no samples.
fn dots_of_lines(html: &str) -> usize {
    let chart = html
        .split("aria-label=\"Share of samples by distance\"")
        .nth(1);
    let chart = chart.unwrap().split("</svg>").next().unwrap();
    chart.matches("<circle").count()
}

#[test]
fn the_page_is_the_same_on_any_number_of_threads() {
    let place = Place::new();
    let [rows, labels] = clouds(&place);
    let labels = labels.to_str().unwrap();
    let mut pages = Vec::new();
    for threads in ["1", "2"] {
        let arguments = ["--count", "9", "--labels", labels, "--ignore", "name"];
        select(
            &place,
            &rows,
            &[&arguments[..], &["--threads", threads]].concat(),
        )
        .expect(0, &[]);
        pages.push(page(&place));
        fs::remove_dir_all(place.path("out")).unwrap();
    }
    assert_eq!(pages[0], pages[1]);
    assert!(pages[0].contains("<title>sample "));
}

#[test]
fn a_page_of_many_samples_is_bounded_and_says_what_is_drawn() {
    let place = Place::new();
    let mut rows = String::from("name,x,y\n");
    let long = "é".repeat(300);
    for at in 0..20_000u32 {
        rows += &format!(
            "{at}{long},{},{}\n",
            at * 7919 % 10_007,
            at * 104_729 % 9973
        );
    }
    let rows = place.write("many.csv", &rows);
    let arguments = ["--count", "5000", "--id", "name", "--strategy", "random"];
    select(&place, &rows, &arguments).expect(0, &[]);
    let html = page(&place);
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    for words in [
        "1000 of 5000 chosen samples, evenly spread, and 1000 of 15000 others, evenly spread",
        "The choice is random itself",
        "é…",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert_eq!(summary(&place)["map"]["drawn_others"], 1000);
}

#[test]
fn equal_samples_and_samples_that_do_not_vary_have_a_page() {
    let place = Place::new();
    let twice = place.write("twice.csv", "1,2\n1,2\n3,4\n3,4\n1,2\n");
    select(&place, &twice, &["--count", "5"]).expect(0, &["3 of the chosen samples are equal"]);
    let html = page(&place);
    assert!(html.contains("Chosen more than once"), "{html}");
    assert!(html.contains("3 of the chosen samples are equal to one chosen before"));
    fs::remove_dir_all(place.path("out")).unwrap();
    let same = npy(&place, "same.npy", "(4, 2)", &[7.5; 8]);
    select(&place, &same, &["--count", "1"]).expect(0, &[]);
    let html = page(&place);
    assert!(
        html.contains("first component, 0.0 % of the variance"),
        "{html}"
    );
    let drawn = html.split("</style>").nth(1).unwrap();
    let drawn = drawn.split("<script>").next().unwrap();
    assert!(
        !drawn.contains("NaN") && !drawn.contains("inf\""),
        "{drawn}"
    );
    fs::remove_dir_all(place.path("out")).unwrap();
    // Of two classes one sample: the page says what is left out.
    let line = place.write("line.csv", LINE);
    let labels = place.write("labels.csv", "a\na\nb\nb\nb\n");
    let arguments = ["--count", "1", "--labels", labels.to_str().unwrap()];
    select(&place, &line, &arguments).expect(0, &[]);
    assert!(page(&place).contains("samples are of groups of which none was chosen"));
}

#[test]
fn bad_input_leaves_no_page() {
    let place = Place::new();
    let line = place.write("line.csv", LINE);
    let gap = place.write("gap.csv", "1\nnan\n3\n");
    let short = place.write("short.csv", "a\nb\n");
    let short = short.to_str().unwrap();
    for (input, arguments) in [
        (&gap, &["--count", "1"][..]),
        (&line, &["--count", "9"]),
        (&line, &["--count", "1", "--labels", short]),
        (&line, &["--count", "1", "--memory", "1kB"]),
    ] {
        select(&place, input, arguments).expect(2, &[]);
        assert!(!place.path("out").exists(), "{arguments:?}");
    }
    fs::create_dir(place.path("out")).unwrap();
    fs::write(place.path("out/report.html"), "mine").unwrap();
    select(&place, &line, &["--count", "1"]).expect(2, &["this directory is not empty"]);
    assert_eq!(page(&place), "mine");
}
