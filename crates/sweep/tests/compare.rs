//! Comparisons of a sweep file: which configurations they mean, and what came out of a script's runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::fs;

use afterimage_sweep::{Ending, Expects, Ledger, Outcome, Results};
use rig::Rig;

const BASE: &str = "epochs = 1\n";
const HEAD: &str =
    "name = \"s\"\nconfig = \"base.toml\"\nseeds = [1, 2, 3]\nmetric = { name = \"eval/knn\" }\n";
const ARMS: &str = "grid = { pace = [1, 2] }\narms = [\n{ name = \"a\", set = { quality = 0.5 } },\n\
                    { name = \"b\", set = { quality = 0.25 } },\n{ name = \"c\" },\n]\n";

fn pairs(compare: &str) -> Vec<(String, String)> {
    let (_, plan) = Rig::new(BASE, &format!("{HEAD}{ARMS}{compare}"))
        .plan()
        .unwrap();
    plan.comparisons[0].pairs.clone()
}

fn mistake(compare: &str) -> String {
    Rig::new(BASE, &format!("{HEAD}{ARMS}{compare}")).mistakes()
}

fn of(names: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(a, b): &(&str, &str)| (a.to_owned(), b.to_owned());
    names.iter().map(owned).collect()
}

#[test]
fn each_arm_has_a_control_that_is_like_it_in_all_else() {
    assert_eq!(
        pairs("[[compare]]\nname = \"x\"\ncontrol = \"c\"\n"),
        of(&[
            ("a,pace=1", "c,pace=1"),
            ("a,pace=2", "c,pace=2"),
            ("b,pace=1", "c,pace=1"),
            ("b,pace=2", "c,pace=2")
        ])
    );
    assert_eq!(
        pairs("[[compare]]\nname = \"x\"\nwhere = { pace = 2 }\narms = [\"b\"]\ncontrol = \"a\"\n"),
        of(&[("b,pace=2", "a,pace=2")])
    );
    assert_eq!(
        pairs("[[compare]]\nname = \"x\"\ncontrol = { pace = 1 }\n"),
        of(&[
            ("a,pace=2", "a,pace=1"),
            ("b,pace=2", "b,pace=1"),
            ("c,pace=2", "c,pace=1")
        ])
    );
    assert_eq!(
        pairs(
            "[[compare]]\nname = \"x\"\narms = [{ quality = 0.25, pace = 1 }]\ncontrol = { arm = \"c\", pace = 2 }\n"
        ),
        of(&[("b,pace=1", "c,pace=2")])
    );
}

#[test]
fn an_arm_can_stand_beside_another_stage() {
    let sweep = format!(
        "{HEAD}[[stages]]\nname = \"one\"\n[stages.grid]\nquality = [0.1, 0.2]\n[[stages]]\nname = \"two\"\n\
         grid = {{ quality = [0.1, 0.2], pace = [2, 3] }}\n\
         [[compare]]\nname = \"x\"\nwhere = {{ stage = \"two\", pace = 3 }}\ncontrol = {{ stage = \"one\" }}\n"
    );
    let (_, plan) = Rig::new(BASE, &sweep).plan().unwrap();
    assert_eq!(
        plan.comparisons[0].pairs,
        of(&[
            ("two,pace=3,quality=0.1", "one,quality=0.1"),
            ("two,pace=3,quality=0.2", "one,quality=0.2")
        ])
    );
    // A control that is not told apart from others is none.
    let text = sweep
        .replace("{ stage = \"two\", pace = 3 }", "{ stage = \"one\" }")
        .replace(
            "control = { stage = \"one\" }",
            "control = { stage = \"two\" }",
        );
    let text = Rig::new(BASE, &text).plan().unwrap_err().to_string();
    assert!(
        text.contains("one,quality=0.1 has 2 controls, such as two,pace=2,quality=0.1"),
        "{text}"
    );
}

#[test]
fn mistakes_are_told_at_their_line() {
    for (compare, wanted) in [
        (
            "[[compare]]\nname = \"x\"\ncontrol = \"d\"\n",
            "sweep.toml:13: compare[0].control: no configuration has arm = \"d\"; there are \"a\", \"b\", \"c\"",
        ),
        (
            "[[compare]]\nname = \"x\"\nwhere = { pase = 1 }\ncontrol = \"a\"\n",
            "sweep.toml:13: compare[0].where.pase: no configuration of this sweep sets \"pase\"",
        ),
        (
            "[[compare]]\nname = \"x\"\nwhere = { arm = \"a\" }\ncontrol = \"a\"\n",
            "sweep.toml:13: compare[0].where: no configuration is left",
        ),
        (
            "[[compare]]\nname = \"x\"\nwhere = { arm = \"a\" }\narms = [\"b\"]\ncontrol = \"c\"\n",
            "sweep.toml:14: compare[0].arms[0]: no configuration but the control",
        ),
        (
            "[[compare]]\nname = \"x\"\ncontrol = \"a\"\nexpects = \"within\"\n",
            "compare[0].threshold: must be above 0",
        ),
        (
            "[[compare]]\nname = \"x\"\ncontrol = \"a\"\nthreshold = 1.0\n",
            "sweep.toml:14: compare[0].threshold: a threshold belongs to what is expected",
        ),
        (
            "[[compare]]\nname = \"x\"\ncontrol = \"a\"\nexpects = \"more\"\n",
            "compare[0].expects",
        ),
    ] {
        let text = mistake(compare);
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn answers_come_from_the_runs_and_remember_when_they_were_asked() {
    let compare = "[[compare]]\nname = \"x\"\nwhere = { pace = 1 }\narms = [\"a\"]\ncontrol = \"b\"\n\
                   expects = \"above\"\nthreshold = 0.2\n";
    let sweep = format!("{HEAD}{ARMS}{compare}");
    let rig = Rig::new(BASE, &sweep);
    let gathered = || {
        let (config, plan) = rig.plan().unwrap();
        let results = Results::gather(
            "s",
            &config.judged(),
            &plan,
            &rig.folder(),
            &rig.standings(),
        );
        let lines = Ledger::read(&rig.folder().ledger()).unwrap();
        results.asked(&plan, &lines)
    };
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    let results = gathered();
    let answer = &results.answers[0];
    assert_eq!((answer.pairs, answer.seeds, answer.told), (3, 3, "above"));
    assert_eq!(answer.difference, Some(0.25));
    let (question, outcome) = answer.expected.clone().unwrap();
    assert_eq!(
        (question.as_str(), outcome),
        ("expected above 0.2", Outcome::Met)
    );
    assert!(!results.answers[0].asked_later);
    // The questions are no part of the trials, but the ledger knows with which it was begun.
    fs::write(rig.file(), sweep.replace("0.2\n", "0.3\n")).unwrap();
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    let results = gathered();
    assert_eq!(
        results.answers[0].expected.as_ref().unwrap().1,
        Outcome::NotMet
    );
    assert!(results.answers[0].asked_later);
    assert_eq!(
        rig.plan().unwrap().1.comparisons[0].expects,
        Some((Expects::Above, 0.3))
    );
}

#[test]
fn an_arm_can_be_asked_about_by_itself_and_over_its_last_epochs() {
    let ask = |name: &str, last: u32| {
        format!(
            "[[compare]]\nname = \"{name}\"\nwhere = {{ pace = 1 }}\narms = [\"a\"]\nlast = {last}\n\
             expects = \"above\"\nthreshold = 0.4\n"
        )
    };
    let (short, long) = (ask("short", 2), ask("long", 3));
    let rig = Rig::new("epochs = 2\n", &format!("{HEAD}{ARMS}{short}{long}"));
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    let (config, plan) = rig.plan().unwrap();
    let results = Results::gather(
        "s",
        &config.judged(),
        &plan,
        &rig.folder(),
        &rig.standings(),
    );
    let answer = &results.answers[0];
    assert_eq!((answer.control.as_str(), answer.pairs), ("", 3));
    assert_eq!((answer.difference, answer.told), (Some(0.5), "above"));
    assert_eq!(answer.expected.clone().unwrap().1, Outcome::Met);
    // Each run has two epochs, of which nobody can take three.
    let answer = &results.answers[1];
    assert_eq!((answer.pairs, answer.difference), (0, None));
    assert_eq!(answer.expected.clone().unwrap().1, Outcome::Undecided);
    let wrong = mistake(&ask("x", 0));
    assert!(
        wrong.contains("compare[0].last: must be at least 1"),
        "{wrong}"
    );
}
