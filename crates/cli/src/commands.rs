//! The commands.

use std::io;
use std::path::{Path, PathBuf};

use afterimage::files::word;
use afterimage::hooks::Outcome;
use afterimage::{Finished, Options, Registry, RunError};

use crate::arguments::{Arguments, Command, Run};
use crate::logging;
use crate::output::{complain, say};
use crate::probe::probe;
use crate::together::Together;
use crate::value;

/// Runs a command with the plugins of `registry`; its result is the exit code. `program` runs further
/// commands, where that is not the program of this process.
pub(crate) fn execute(
    registry: &Registry,
    arguments: Arguments,
    program: Option<PathBuf>,
    together: &Together,
) -> u8 {
    if let Some(why) = together.refuses(&arguments.command) {
        if together.speaks() {
            complain(&why);
        }
        return together.conclude(Err(why), 2);
    }
    let result = match arguments.command {
        Command::New(arguments) => crate::new::new(registry, &arguments),
        Command::Completions(arguments) => Ok(crate::shell::completions(&arguments)),
        Command::Man { folder } => crate::shell::man(folder.as_deref()),
        Command::Run(run) if !together.group.is_first() => {
            return follow(together, |options| follow_run(registry, &run, options));
        }
        Command::Resume { run, .. } if !together.group.is_first() => {
            return follow(together, |options| {
                afterimage::follow_resumed(registry, &run, options)
            });
        }
        Command::Run(run) => return first(together, start(registry, &run, together)),
        Command::Resume { run, json } => {
            return first(together, go_on(registry, &run, json, together));
        }
        Command::Check { configs, sets } => check(registry, &configs, &sets),
        Command::Plugins { name } => plugins(registry, name.as_deref()),
        Command::Schema { sweep, markdown } => schema(registry, sweep, markdown),
        Command::Probe(arguments) => probe(arguments),
        Command::Exchange(arguments) => crate::intervene::exchange_layers(arguments),
        Command::Ablate(arguments) => crate::intervene::ablate_units(registry, arguments),
        Command::Sensitivity(arguments) => crate::sensitivity::study(*arguments),
        Command::Insert(arguments) => crate::intervene::insert_points(registry, arguments),
        Command::Compact(arguments) => crate::compact::compact(arguments),
        Command::Export(arguments) => crate::export::export(arguments),
        Command::Data(arguments) => crate::data::data(registry, arguments),
        Command::Report { runs, out: None } => report(&runs),
        Command::Report {
            runs,
            out: Some(out),
        } => compare(&runs, &out),
        Command::Value(arguments) => Ok(value::execute(*arguments)),
        Command::Sweep(arguments) => return crate::sweep::execute(registry, &arguments, program),
        Command::Select(arguments) => return crate::select::execute(&arguments),
    };
    result.unwrap_or_else(|error| {
        complain(&error.to_string());
        error.exit_code()
    })
}

/// The exit code of the first process of a run, or of the only one.
fn first(together: &Together, result: Result<Ended, RunError>) -> u8 {
    let (code, own) = result.unwrap_or_else(|error| {
        complain(&error.to_string());
        (error.exit_code(), Err(error.to_string()))
    });
    together.conclude(own, code)
}

/// The exit code of another process of a run.
fn follow(
    together: &Together,
    run: impl FnOnce(Options) -> Result<Option<Finished>, RunError>,
) -> u8 {
    let options = afterimage::train::listen().map(|signal| Options {
        out: None,
        progress: Box::new(|| Box::new(io::sink())),
        signal,
        quiet: true,
        processes: together.group.clone(),
        started: Box::new(|_| ()),
    });
    let own = match options {
        Ok(options) => afterimage::ending(&run(options)),
        Err(error) => Err(error.to_string()),
    };
    let code = u8::from(own.is_err());
    together.conclude(own, code)
}

fn follow_run(
    registry: &Registry,
    run: &Run,
    options: Options,
) -> Result<Option<Finished>, RunError> {
    let loaded = registry.load(&run.config, &run.sets)?;
    let out = run.out.clone();
    let out = out.unwrap_or_else(|| afterimage::default_directory(&loaded));
    afterimage::follow(registry, &loaded, &out, options)
}

/// The exit code of the first process, and how it tells the others that it ended.
type Ended = (u8, Result<(), String>);

fn start(registry: &Registry, run: &Run, together: &Together) -> Result<Ended, RunError> {
    let loaded = registry.load(&run.config, &run.sets)?;
    loaded.notes.iter().for_each(|note| complain(note));
    if run.dry_run {
        say(&afterimage::dry_run(registry, &loaded, true)?);
        return Ok((0, Ok(())));
    }
    let log = logging::start();
    let out = run
        .out
        .clone()
        .unwrap_or_else(|| afterimage::default_directory(&loaded));
    let options = options(Some(out.clone()), log, out, together)?;
    if !run.resume {
        return Ok(conclude(
            &afterimage::run(registry, &loaded, options)?,
            run.json,
        ));
    }
    match afterimage::run_or_resume(registry, &loaded, options)? {
        Ok(finished) => Ok(conclude(&finished, run.json)),
        Err(result) => {
            complain("this run is complete; nothing was trained");
            if run.json {
                say(&format!("{result}\n"));
            }
            let code = result["exit_code"].as_u64();
            let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(0);
            Ok((code, Ok(())))
        }
    }
}

fn go_on(
    registry: &Registry,
    path: &Path,
    json: bool,
    together: &Together,
) -> Result<Ended, RunError> {
    let log = logging::start();
    let options = options(None, log, path.to_owned(), together)?;
    Ok(conclude(
        &afterimage::resume(registry, path, options)?,
        json,
    ))
}

fn options(
    out: Option<PathBuf>,
    log: logging::LogFile,
    run: PathBuf,
    together: &Together,
) -> Result<Options, RunError> {
    let signal = afterimage::train::listen().map_err(|source| RunError::Io {
        path: run,
        verb: "listen for signals in",
        source,
    })?;
    Ok(Options {
        out,
        progress: Box::new(|| Box::new(io::stderr())),
        signal,
        quiet: false,
        processes: together.group.clone(),
        started: Box::new(move |directory| {
            // A run without its log is better than no run.
            if let Err(error) = log.open(&directory.log()) {
                tracing::warn!("{}: cannot be written: {error}", directory.log().display());
            }
        }),
    })
}

fn conclude(finished: &Finished, json: bool) -> Ended {
    let code = finished.exit_code();
    let run = finished.run.path();
    // Tables are long, and what is to be done about the run is to be seen behind them.
    say(&finished.summary);
    if json {
        say(&format!("{}\n", finished.result()));
    }
    match &finished.outcome {
        Outcome::Completed => {}
        Outcome::Stopped(reason) => complain(&format!("stopped: {reason}")),
        Outcome::Failed(error) => complain(error),
        Outcome::Diverged => complain(&format!(
            "the loss became infinite or not a number; the last good step is kept in \
             {}/checkpoints. Lower `schedule.peak`, or lengthen `schedule.warmup_epochs`",
            run.display()
        )),
        Outcome::Interrupted(signal) => complain(&format!(
            "interrupted by signal {signal} after a checkpoint; go on with: afterimage resume {}",
            word(run)
        )),
    }
    (code, finished.ending())
}

fn check(registry: &Registry, configs: &[PathBuf], sets: &[String]) -> Result<u8, RunError> {
    let mut code = 0;
    for config in configs {
        let checked = registry
            .load(config, sets)
            .map_err(RunError::from)
            .and_then(|loaded| afterimage::dry_run(registry, &loaded, false));
        match checked {
            Ok(text) => say(&format!("{}: ok\n{text}", config.display())),
            Err(error) => {
                complain(&error.to_string());
                code = code.max(error.exit_code());
            }
        }
    }
    Ok(code)
}

fn plugins(registry: &Registry, name: Option<&str>) -> Result<u8, RunError> {
    let Some(name) = name else {
        for kind in registry.kinds() {
            say(&format!("{:20} {}\n", kind.name(), kind.about()));
        }
        return Ok(0);
    };
    match registry.get(name) {
        Some(kind) => {
            say(&kind.describe());
            Ok(0)
        }
        None => {
            complain(&format!(
                "there is no plugin {name:?}; there are: {}",
                registry.names().join(", ")
            ));
            Ok(2)
        }
    }
}

fn schema(registry: &Registry, sweep: bool, markdown: bool) -> Result<u8, RunError> {
    if markdown {
        say(&afterimage::key_tables(registry));
        return Ok(0);
    }
    let schema = match sweep {
        true => afterimage::sweep_schema(),
        false => afterimage::experiment_schema(registry),
    };
    say(&format!("{schema:#}\n"));
    Ok(0)
}

fn report(runs: &[PathBuf]) -> Result<u8, RunError> {
    if let [run] = runs {
        return one_report(run);
    }
    let mut code = 0;
    for run in runs {
        match one_report(run) {
            Ok(one) => code = code.max(one),
            // The pages of the others are written all the same.
            Err(error) => {
                complain(&format!("error: {error}"));
                code = code.max(error.exit_code());
            }
        }
    }
    Ok(code)
}

fn one_report(run: &Path) -> Result<u8, RunError> {
    let directory = afterimage::RunDir::open_whole(run)?;
    let mut report = afterimage::track::Report::from_run(directory.path())?;
    // A checkpoint that cannot be read costs the page nothing but what it knows.
    report.lacks(afterimage::lost_since(run).unwrap_or_else(|error| vec![error.to_string()]));
    report.write(&directory.report())?;
    say(&format!("{}\n", directory.report().display()));
    for part in report.damaged() {
        complain(&format!("{}: the page lacks a part: {part}", run.display()));
    }
    Ok(u8::from(!report.damaged().is_empty()))
}

fn compare(runs: &[PathBuf], out: &Path) -> Result<u8, RunError> {
    let compared = afterimage::compare(runs, out)?;
    say(&format!("{}\n", out.display()));
    compared.notes.iter().for_each(|note| complain(note));
    for fault in &compared.faults {
        complain(&format!("the page lacks a part: {fault}"));
    }
    Ok(u8::from(!compared.faults.is_empty()))
}
