//! `afterimage select`: a coreset of an embedding matrix.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use afterimage::Pulse;
use afterimage::coreset::read::Labels;
use afterimage::coreset::{
    Budget, Coreset, CoresetError, Evidence, Partition, Points, RandomChoices, Settings, Strategy,
    peak_memory,
};
use afterimage::files::{Partial, PartialError};
use afterimage::hooks::{Column, Table};
use afterimage::selected::{Choice, ChoicePage, PAGE, looked_at, page};
use afterimage::track::{TrackError, write_table};
use afterimage::value::is_formula;
use serde_json::json;
use thiserror::Error;

use crate::alive::Alive;
use crate::arguments::Select;
use crate::output::{complain, complain_line, say};
use crate::room::plan;
use crate::select_input::Input;
use crate::select_settings::settings;
use crate::select_told::{
    at_random, classes, classes_told, list, random_json, random_told, repeats_told,
};

/// Why there is no coreset.
#[derive(Debug, Error)]
pub(crate) enum SelectError {
    #[error(transparent)]
    Coreset(#[from] CoresetError),
    #[error("--{flag}: {reason}")]
    Argument { flag: &'static str, reason: String },
    #[error("{}: {reason}", path.display())]
    Counts { path: PathBuf, reason: String },
    #[error("{}: this directory is not empty; choose another with --out", .0.display())]
    NotEmpty(PathBuf),
    #[error("{}: this is no directory; choose another with --out", .0.display())]
    NoDirectory(PathBuf),
    #[error("{}: cannot {verb}: {source}", path.display())]
    Io {
        path: PathBuf,
        verb: &'static str,
        source: io::Error,
    },
    #[error(transparent)]
    Table(#[from] TrackError),
    #[error("--out: {0}")]
    Out(#[from] PartialError),
}

impl SelectError {
    /// 2 for what the user can mend in arguments and input, else 1.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Table(_) | Self::Out(PartialError::Io { .. }) => 1,
            Self::Coreset(CoresetError::Io { source, .. }) => {
                // What cannot be opened is a wrong path; what breaks off is a failure.
                match source.kind() {
                    io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::InvalidInput => 2,
                    _ => 1,
                }
            }
            Self::Coreset(_)
            | Self::Out(_)
            | Self::Argument { .. }
            | Self::Counts { .. }
            | Self::NotEmpty(_)
            | Self::NoDirectory(_) => 2,
        }
    }
}

/// Runs the command; its result is the exit code.
pub fn execute(arguments: &Select) -> u8 {
    match select(arguments) {
        Ok(()) => 0,
        Err(error) => {
            complain_line(&error.to_string());
            error.exit_code()
        }
    }
}

fn select(arguments: &Select) -> Result<(), SelectError> {
    check_out(&arguments.out)?;
    let settings = settings(arguments)?;
    let alive = Alive::watch(Pulse::default());
    alive.begin("reading the embeddings");
    let Input {
        points,
        labels,
        losses,
        memorization,
        ids,
        seconds,
    } = Input::read(arguments, &alive)?;
    let partition = match (&labels, arguments.clusters, &points) {
        (Some(labels), _, _) => Partition::Classes(&labels.classes),
        (None, Some(count), Points::Rows(rows)) => Partition::Clusters { rows, count },
        _ => Partition::None,
    };
    let evidence = Evidence {
        losses: losses.as_deref(),
        memorization: memorization.as_deref(),
        ..Evidence::of(&points)
    };
    let settings = Settings {
        partition,
        ..settings
    };
    let looked_at = looked_at(points.len());
    let selection = plan(arguments.memory.is_some(), evidence, settings)?;
    let folder = Partial::beside(&arguments.out)?;
    alive.tell(&selection.memory().to_string());
    alive.begin("choosing");
    let size = (points.len(), selection.count());
    let control = Instant::now();
    let at_random = at_random(&selection, &arguments.strategy, size, &looked_at)?;
    let control_seconds = control.elapsed().as_secs_f64();
    let coreset = selection.run()?;
    alive.begin("drawing the page");
    let drawing = Instant::now();
    let repeats = repeats_told(arguments, &coreset);
    let page = page(&Choice {
        file: &arguments.embeddings,
        strategy: &arguments.strategy,
        points: &points,
        labels: labels.as_ref(),
        has_clusters: arguments.clusters.is_some(),
        ids: ids.as_deref(),
        coreset: &coreset,
        at_random: at_random.as_ref(),
        looked_at: &looked_at,
        repeats: &repeats,
    });
    let page_seconds = drawing.elapsed().as_secs_f64();
    drop(alive);
    let known = Known {
        labels: labels.as_ref(),
        classes: labels.as_ref().map(|labels| classes(labels, &coreset)),
        ids: ids.as_deref(),
        at_random: at_random.as_ref(),
        page: &page,
        repeats: &repeats,
        control_seconds,
        page_seconds,
        read_seconds: seconds,
    };
    write(
        folder,
        &coreset,
        &known,
        &summary(arguments, &points, &known, &coreset),
    )?;
    tell(arguments, points.len(), &known, &coreset);
    Ok(())
}

/// Says what was chosen.
fn tell(arguments: &Select, samples: usize, known: &Known<'_>, coreset: &Coreset) {
    if !known.repeats.is_empty() {
        complain(known.repeats);
    }
    let cost = if coreset.cost.is_finite() {
        let random = known.at_random.map(random_told);
        let random = random.map_or(String::new(), |told| format!(" ({told})"));
        format!("k-medoids cost {:.6}{random}", coreset.cost)
    } else {
        let left_out = coreset
            .owners
            .iter()
            .filter(|owner| owner.is_none())
            .count();
        format!(
            "{left_out} samples are of groups of which none was chosen (choose more to have some of \
             each)"
        )
    };
    if let Some(ids) = known.ids {
        let chosen = coreset.indices.iter().map(|index| ids[*index].as_str());
        let mut formulas = chosen.filter(|id| is_formula(id));
        if let Some(first) = formulas.next() {
            complain_line(&format!(
                "{} of the ids in coreset.csv begin as formulas do, first `{first}`: a spreadsheet would run \
                 them; open the Parquet file instead, or import the column as text",
                1 + formulas.count()
            ));
        }
        say(&format!("{}\n", list(ids, known.labels, coreset)));
    }
    say(&format!(
        "{}{} of {} samples; {cost}; {:.2} s to build, {:.2} s to select\n{}\n{}\n",
        known
            .classes
            .as_deref()
            .map_or_else(String::new, classes_told),
        coreset.indices.len(),
        samples,
        coreset.build_seconds,
        coreset.select_seconds,
        arguments.out.join("coreset.csv").display(),
        arguments.out.join(PAGE).display()
    ));
}

/// What is known of the samples and of the choice beside it.
struct Known<'a> {
    labels: Option<&'a Labels>,
    /// Chosen and all samples of each class.
    classes: Option<Vec<(String, usize, usize)>>,
    ids: Option<&'a [String]>,
    at_random: Option<&'a RandomChoices>,
    page: &'a ChoicePage,
    /// What is to be known of chosen samples that are equal; empty without any.
    repeats: &'a str,
    control_seconds: f64,
    page_seconds: f64,
    read_seconds: f64,
}

fn summary(
    arguments: &Select,
    points: &Points,
    known: &Known<'_>,
    coreset: &Coreset,
) -> serde_json::Value {
    let storages: Vec<&str> = coreset.plan.storages().iter().map(|s| s.name()).collect();
    let leans = arguments.strategy == Strategy::Memorization.name();
    let remembers = leans || arguments.strategy == Strategy::MemorizationAlone.name();
    let by_class = known.classes.as_ref().map(|classes| {
        let counts = classes
            .iter()
            .map(|(name, chosen, all)| (name.clone(), json!({"chosen": chosen, "of": all})));
        counts.collect::<serde_json::Map<_, _>>()
    });
    json!({
        "embeddings": arguments.embeddings.display().to_string(),
        "samples": points.len(),
        "id": arguments.id,
        "classes": known.classes.as_ref().map(Vec::len),
        "by_class": by_class,
        "groups": coreset.plan.groups.len(),
        "count": coreset.indices.len(),
        "strategy": arguments.strategy,
        "greedy": arguments.greedy.as_deref().unwrap_or("event-driven"),
        "repeated": coreset.repeats().len(),
        "weights": arguments.weights.as_deref().unwrap_or("cluster-size"),
        "prefer": remembers.then(|| arguments.prefer.as_deref().unwrap_or("memorized")),
        "bonus": leans.then(|| arguments.bonus.unwrap_or(Settings::new(Budget::Count(1)).bonus)),
        "seed": arguments.seed,
        // A cost is infinite, and then null, if a group has no chosen sample.
        "objective": coreset.objective.is_finite().then_some(coreset.objective),
        "k_medoids_cost": coreset.cost.is_finite().then_some(coreset.cost),
        "k_medoids_cost_at_random": known.at_random.map(random_json),
        "report": PAGE,
        "map": {
            "variance": known.page.variance,
            "drawn_chosen": known.page.drawn_chosen,
            "drawn_others": known.page.drawn_others,
        },
        "seconds_to_read": known.read_seconds,
        "seconds_at_random": known.control_seconds,
        "seconds_to_build": coreset.build_seconds,
        "seconds_to_select": coreset.select_seconds,
        "seconds_to_draw": known.page_seconds,
        "storage": storages.join(" and "),
        "memory_budget_bytes": coreset.plan.budget,
        "memory_planned_bytes": coreset.plan.bytes(),
        "peak_memory_bytes": peak_memory().map(|bytes| bytes.0),
    })
}

/// Refuses a directory that holds something, before any work is done.
fn check_out(out: &Path) -> Result<(), SelectError> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(SelectError::NotEmpty(out.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(SelectError::NoDirectory(out.to_owned()))
        }
        Err(source) => Err(SelectError::Io {
            path: out.to_owned(),
            verb: "look into",
            source,
        }),
    }
}

/// Writes everything beside `out` and renames it, so that there is all or nothing.
fn write(
    folder: Partial,
    coreset: &Coreset,
    known: &Known<'_>,
    summary: &serde_json::Value,
) -> Result<(), SelectError> {
    let beside = folder.path();
    coreset.write_csv(&beside.join("coreset.csv"), known.ids)?;
    coreset.write_npy(&beside.join("coreset.npy"))?;
    let indices = coreset.indices.iter().map(|index| *index as i64).collect();
    let mut columns = vec![
        ("index".to_owned(), Column::I64(indices)),
        ("weight".to_owned(), Column::F64(coreset.weights.clone())),
    ];
    if let Some(ids) = known.ids {
        let ids = coreset.indices.iter().map(|index| ids[*index].clone());
        columns.push(("id".to_owned(), Column::Text(ids.collect())));
    }
    write_table(&beside.join("coreset.parquet"), &Table { columns })?;
    for (name, text) in [
        ("summary.json", format!("{summary:#}\n").as_str()),
        (PAGE, known.page.html.as_str()),
    ] {
        let path = beside.join(name);
        fs::write(&path, text).map_err(|source| SelectError::Io {
            path,
            verb: "write",
            source,
        })?;
    }
    Ok(folder.finish()?)
}
