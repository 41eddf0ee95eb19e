//! Trials of a sweep file, and mistakes in it.

#![allow(clippy::unwrap_used)]

mod rig;

use rig::Rig;

const BASE: &str = "epochs = 2\n";

fn names(sweep: &str) -> Vec<String> {
    let (_, plan) = Rig::new(BASE, sweep).plan().unwrap();
    plan.trials.into_iter().map(|trial| trial.name).collect()
}

fn mistakes(sweep: &str) -> String {
    Rig::new(BASE, sweep).mistakes()
}

const HEAD: &str = "name = \"s\"\nconfig = \"base.toml\"\nmetric = { name = \"eval/knn\" }\n";

#[test]
fn grids_arms_and_seeds_are_combined_seed_by_seed() {
    let sweep = format!(
        "{HEAD}seeds = [1, 2]\n[grid]\nquality = [1.0, 2.5]\n[[arms]]\nname = \"a\"\n[[arms]]\n\
         name = \"control\"\nalone = true\nset = {{ quality = 0.0 }}\n"
    );
    assert_eq!(
        names(&sweep),
        [
            "a,quality=1,seed=1",
            "a,quality=2.5,seed=1",
            "control,seed=1",
            "a,quality=1,seed=2",
            "a,quality=2.5,seed=2",
            "control,seed=2",
        ]
    );
}

#[test]
fn a_sweep_of_nothing_is_the_experiment_itself() {
    assert_eq!(names(HEAD), ["base"]);
}

#[test]
fn nested_keys_are_as_good_as_quoted_ones() {
    let nested = format!("{HEAD}[grid]\nnested.x = [1.0, 2.0]\n");
    let quoted = format!("{HEAD}[grid]\n\"nested.x\" = [1.0, 2.0]\n");
    assert_eq!(names(&nested), ["x=1", "x=2"]);
    let plan = |sweep: &str| Rig::new(BASE, sweep).plan().unwrap().1.digest;
    assert_eq!(plan(&nested), plan(&quoted));
}

#[test]
fn samples_that_fall_on_one_config_are_one_trial() {
    let sweep = format!(
        "{HEAD}[search]\nkind = \"sobol\"\nsamples = 16\n[search.space]\n\
         pace = {{ low = 1, high = 3, integer = true }}\n"
    );
    let (_, plan) = Rig::new(BASE, &sweep).plan().unwrap();
    assert_eq!(plan.trials.len(), 3);
    assert!(plan.notes[0].starts_with("13 samples"), "{:?}", plan.notes);
}

#[test]
fn a_mistake_in_any_trial_is_told_at_its_line_before_the_first_one_starts() {
    let sweep = format!(
        "{HEAD}set = {{ epoch = 3 }}\n[grid]\nquality = [1.0, 200.0]\nseedd = [1]\n[[arms]]\n\
         name = \"x\"\nset = {{ fail = \"never\" }}\n"
    );
    let text = mistakes(&sweep);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(
        lines[0].starts_with("sweep.toml:4: set.epoch: unknown key; did you mean `epochs`?"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("sweep.toml:6: grid.quality[1]: must be below 100 (in 1 of 2 trials)"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("sweep.toml:7: grid.seedd[0]: unknown key"),
        "{text}"
    );
    assert!(
        lines[3].contains("sweep.toml:10: arms[0].set.fail: "),
        "{text}"
    );
}

#[test]
fn all_mistakes_of_the_sweep_file_are_told_at_once() {
    let text = mistakes(
        "name = \"a b\"\nconfig = \"base.toml\"\nseeds = [1, 1]\nmetric = { name = \"m\", direction = \"up\" }\n\
         [grid]\nquality = 3\nseed = [1]\n",
    );
    assert!(text.contains("sweep.toml:4: metric.direction: "), "{text}");
    let text = mistakes(&format!(
        "{HEAD}seeds = [1, 1]\nretrys = 2\n[grid]\nquality = 3\nseed = [1]\n[stopping]\nkind = \"asha\"\n\
         factor = 1\n[search]\nkind = \"random\"\nsamples = 0\n[search.space]\nquality = {{ low = 2, high = 1 }}\n"
    ));
    for part in [
        "sweep.toml:4: seeds[1]: 1 is there twice",
        "sweep.toml:5: retrys: unknown key; did you mean `retries`?",
        "sweep.toml:7: grid.quality: must be an array",
        "grid.seed[0]: the seed is already varied by `seeds`",
        "stopping.factor: must be at least 2",
        "search.samples: must be from 1",
        "search.space.quality: `low` must be below `high`",
        "search.space.quality: `quality` is also set elsewhere",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_base_that_is_not_there_is_told_at_its_key() {
    let text = mistakes(&HEAD.replace("base.toml", "bse.toml"));
    assert!(
        text.starts_with("sweep.toml:2: config: there is no file "),
        "{text}"
    );
}

#[test]
fn two_trials_that_are_one_and_far_too_many_are_refused() {
    let text = mistakes(&format!(
        "{HEAD}[[arms]]\nname = \"a\"\n[[arms]]\nname = \"b\"\n"
    ));
    assert!(text.contains("two trials have the same config"), "{text}");
    let values: Vec<String> = (0..101).map(|i| i.to_string()).collect();
    let axis = values.join(", ");
    let text = mistakes(&format!(
        "{HEAD}[grid]\nepochs = [{axis}]\npace = [{axis}]\n"
    ));
    assert!(text.contains("a sweep can have 10000 at most"), "{text}");
}

#[test]
fn any_name_is_a_folder_of_its_own() {
    let sweep = format!(
        "{HEAD}[[arms]]\nname = \"A\"\nset = {{ quality = 1.0 }}\n[[arms]]\nname = \"a\"\nset = {{ quality = 2.0 }}\n"
    );
    let names = names(&sweep);
    assert_eq!(names[0], "A");
    assert!(names[1].starts_with("a~"), "{names:?}");
}

#[test]
fn memory_is_an_amount_and_told_in_one_place() {
    let told = mistakes(&format!("{HEAD}memory = \"0\"\n"));
    assert!(
        told.contains("sweep.toml:4: memory: \"0\" is no amount of memory"),
        "{told}"
    );
    let options = "slurm = { options = [\"--mem=8G\"] }\n";
    let told = mistakes(&format!("{HEAD}memory = \"4 GB\"\n{options}"));
    assert!(
        told.contains("slurm.options[0]: --mem is set by `memory`"),
        "{told}"
    );
    assert_eq!(names(&format!("{HEAD}{options}")), ["base"]);
    // It bounds the trials and makes no others of them.
    let plan = |sweep: &str| Rig::new(BASE, sweep).plan().unwrap().1.digest;
    assert_eq!(plan(HEAD), plan(&format!("{HEAD}memory = \"4 GB\"\n")));
}
