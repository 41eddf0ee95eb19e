//! What the flags of `afterimage select` ask of the library.

use afterimage::coreset::{Budget, Bytes, Greedy, Prefer, Settings, Storage, Strategy, Weighting};

use crate::arguments::Select;
use crate::select::SelectError;

/// Settings but for the partition.
pub(crate) fn settings(arguments: &Select) -> Result<Settings<'static>, SelectError> {
    let wrong = |flag, reason: String| SelectError::Argument { flag, reason };
    let budget = match (arguments.fraction, arguments.count) {
        (Some(fraction), _) => Budget::Fraction(fraction),
        (None, count) => Budget::Count(count.unwrap_or(0)),
    };
    let defaults = Settings::new(budget);
    let memory: Bytes = match &arguments.memory {
        Some(memory) => memory.parse().map_err(|reason| wrong("memory", reason))?,
        None => defaults.memory,
    };
    let strategy = Strategy::ALL
        .iter()
        .find(|(name, _)| *name == arguments.strategy);
    let strategy = strategy.map_or(Strategy::FacilityLocation, |(_, strategy)| *strategy);
    refuse_unused(arguments, strategy)?;
    check_rows(arguments, strategy)?;
    let storages = [
        Storage::Dense,
        Storage::Half,
        Storage::MatrixFree,
        Storage::Sparse,
    ];
    let storage = arguments.storage.as_deref();
    let weights = arguments.weights.as_deref().unwrap_or("cluster-size");
    if arguments.cap.is_some() && weights != "cluster-size" {
        return Err(wrong(
            "cap",
            "is for `--weights cluster-size` alone".to_owned(),
        ));
    }
    if arguments.radius.is_some() && weights != "radius" {
        return Err(wrong(
            "radius",
            "is for `--weights radius` alone".to_owned(),
        ));
    }
    if arguments.losses.is_some() && strategy != Strategy::SmallLoss {
        return Err(wrong(
            "losses",
            "is for `--strategy small-loss` alone".to_owned(),
        ));
    }
    let threads = match arguments.threads {
        Some(threads @ 1..=1024) => threads,
        Some(threads) => return Err(wrong("threads", format!("{threads} is not in 1..=1024"))),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    Ok(Settings {
        strategy,
        weighting: match (weights, arguments.radius) {
            ("none", _) => Weighting::None,
            ("radius", Some(distance)) => Weighting::Radius { distance },
            _ => Weighting::ClusterSize { cap: arguments.cap },
        },
        greedy: match arguments.greedy.as_deref() {
            Some("naive") => Greedy::Naive,
            Some("lazy") => Greedy::Lazy,
            Some("stochastic") => Greedy::Stochastic {
                epsilon: arguments.epsilon.unwrap_or(Greedy::EPSILON),
            },
            _ => Greedy::EventDriven,
        },
        memory,
        storage: storages
            .into_iter()
            .find(|kind| Some(kind.name()) == storage),
        threads,
        seed: arguments.seed,
        prefer: match arguments.prefer.as_deref() {
            Some("typical") => Prefer::Typical,
            _ => Prefer::Memorized,
        },
        bonus: arguments.bonus.unwrap_or(defaults.bonus),
        ..defaults
    })
}

/// Refuses flags that the strategy would not look at.
fn refuse_unused(arguments: &Select, strategy: Strategy) -> Result<(), SelectError> {
    let locates = matches!(strategy, Strategy::FacilityLocation | Strategy::Craig);
    let (leans, remembers) = (strategy == Strategy::Memorization, strategy.remembers());
    let holds = locates || leans;
    let weighs = matches!(strategy, Strategy::Craig | Strategy::GradMatch);
    let unused = |flag, reason: &str| {
        let reason = reason.to_owned();
        Err(SelectError::Argument { flag, reason })
    };
    let distances = "is about the distances of `--strategy facility-location`, `craig` and \
                     `memorization`; others hold none";
    let leaning = "is for `--strategy memorization` alone";
    let remembering = "is for `--strategy memorization` and `memorization-alone`";
    match arguments {
        Select {
            layermem: None,
            unitmem: None,
            ..
        } if remembers => unused(
            "strategy",
            &format!(
                "`{}` needs a score of each sample: --layermem, --unitmem or both",
                strategy.name()
            ),
        ),
        Select {
            layermem: Some(_), ..
        } if !remembers => unused("layermem", remembering),
        Select {
            unitmem: Some(_), ..
        } if !remembers => unused("unitmem", remembering),
        Select {
            prefer: Some(_), ..
        } if !remembers => unused("prefer", remembering),
        Select { bonus: Some(_), .. } if !leans => unused("bonus", leaning),
        Select {
            greedy: Some(_), ..
        } if !locates => unused(
            "greedy",
            "is for `--strategy facility-location` and `craig` alone",
        ),
        Select {
            memory: Some(_), ..
        } if !holds => unused("memory", distances),
        Select {
            storage: Some(_), ..
        } if !holds => unused("storage", distances),
        Select {
            epsilon: Some(_), ..
        } if arguments.greedy.as_deref() != Some("stochastic") => {
            unused("epsilon", "is for `--greedy stochastic` alone")
        }
        Select {
            weights: Some(_), ..
        } if weighs => unused(
            "weights",
            "cannot be chosen: `craig` weighs by cluster sizes, `grad-match` by its own fit",
        ),
        Select { cap: Some(_), .. } if weighs => unused(
            "cap",
            "cannot be set: `craig` weighs by whole cluster sizes, `grad-match` by its own fit",
        ),
        _ => Ok(()),
    }
}

/// Refuses embeddings where a strategy ranks by gradients.
fn check_rows(arguments: &Select, strategy: Strategy) -> Result<(), SelectError> {
    let by_gradients = matches!(
        strategy,
        Strategy::El2n | Strategy::Grand | Strategy::GradMatch
    );
    if !by_gradients || arguments.rows == "gradients" {
        return Ok(());
    }
    Err(SelectError::Argument {
        flag: "strategy",
        reason: format!(
            "`{}` ranks by gradients of a network's loss, and the rows are embeddings; say --rows gradients if \
             they are gradients or their proxies, or choose `facility-location`",
            strategy.name()
        ),
    })
}
