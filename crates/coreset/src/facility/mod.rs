//! Facility location in distances: greedy selection for Σᵢ min over the selected j of d(i, j), the
//! k-medoids form of CRUST's Eq. 5.
//!
//! [`cloud`] lays the points of a group out, and [`fixed`] makes whole numbers of distances. Event-driven
//! selection keeps those that can matter ([`listed`]); for the other ways of [`greedy`], [`dense`] and
//! [`matrix_free`] hold or compute all, and [`sparse`] knows only near ones.

pub(crate) mod assign;
pub(crate) mod cloud;
pub(crate) mod compress;
pub(crate) mod dense;
pub(crate) mod fixed;
pub(crate) mod flat;
pub(crate) mod greedy;
pub(crate) mod leaning;
pub(crate) mod listed;
pub(crate) mod lists;
pub(crate) mod matrix_free;
pub(crate) mod open;
pub(crate) mod outline;
pub(crate) mod search;
pub(crate) mod slab;
pub(crate) mod source;
pub(crate) mod sparse;
pub(crate) mod sweep;
pub(crate) mod team;
pub(crate) mod totals;
pub(crate) mod transpose;

use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::cloud::Cloud;
use self::dense::Dense;
use self::fixed::Cell;
use self::greedy::Picks;
use self::leaning::Leaning;
use self::matrix_free::MatrixFree;
use self::slab::Slab;
use self::source::Source;
use self::team::Team;
use crate::error::CoresetError;
use crate::plan::{GroupPlan, Storage};

/// How greedy selection finds the next point. All but `Stochastic` choose the same points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greedy {
    /// Every gain anew for every choice.
    Naive,
    /// Gains anew only where the old ones are largest (Minoux 1978).
    Lazy,
    /// Gains of a random sample (Mirzasoleiman et al. 2015).
    Stochastic {
        /// What may be lost of the best value on average, in (0, 1).
        epsilon: f64,
    },
    /// What no longer counts is dropped where a point came nearer to the selection, and where all
    /// distances are held, all gains are kept exact.
    EventDriven,
}

impl Greedy {
    /// The ε of `Stochastic` where none is told.
    pub const EPSILON: f64 = 0.01;

    /// # Errors
    /// An ε outside of (0, 1).
    pub(crate) fn validate(self) -> Result<(), CoresetError> {
        match self {
            Self::Stochastic { epsilon } if !(epsilon > 0.0 && epsilon < 1.0) => Err(
                CoresetError::setting("epsilon", format!("{epsilon} is not in (0, 1)")),
            ),
            _ => Ok(()),
        }
    }
}

/// What was chosen in a group, in positions of the group.
pub(crate) struct Located {
    /// Chosen points in order.
    pub(crate) order: Vec<usize>,
    /// The place in `order` of the nearest chosen point, for each point.
    pub(crate) owner: Vec<u32>,
    /// The largest distance in the group.
    pub(crate) largest: f64,
    /// Seconds until distances were there.
    pub(crate) build_seconds: f64,
    /// Seconds of the choice.
    pub(crate) select_seconds: f64,
}

/// How a group is worked on.
pub(crate) struct Work<'a> {
    pub(crate) plan: GroupPlan,
    pub(crate) greedy: Greedy,
    /// What choosing each point is worth beside what it covers, in units of the largest distance; only
    /// event-driven, and with all pairs.
    pub(crate) bonus: Option<&'a [f64]>,
    pub(crate) seed: u64,
    pub(crate) team: Team,
    /// Memory of the group before.
    pub(crate) spare: &'a mut Option<Slab>,
}

/// Chooses `count` points of `cloud`, at least one and not more than there are.
///
/// # Errors
/// The system refuses the memory.
pub(crate) fn locate(cloud: &Cloud, count: usize, work: Work<'_>) -> Result<Located, CoresetError> {
    let start = Instant::now();
    match work.plan.storage {
        Storage::Dense => held::<i32>(cloud, count, work, start),
        Storage::Half => held::<u16>(cloud, count, work, start),
        Storage::MatrixFree => {
            if work.greedy == Greedy::EventDriven && work.plan.lists > 0 {
                let (picks, largest, built) = listed::choose(
                    cloud,
                    count,
                    work.bonus,
                    work.plan.lists,
                    work.team,
                    work.spare,
                )?;
                let largest = cloud.distance(f64::from(largest));
                return Ok(located(picks, largest, start, built));
            }
            let mut source = MatrixFree::new(cloud, work.team);
            let built = start.elapsed().as_secs_f64();
            let picks = run(&mut source, count, &work);
            let largest = cloud.distance(f64::from(source.largest()));
            Ok(located(picks, largest, start, built))
        }
        Storage::Sparse => {
            let neighbours = work.plan.neighbours;
            let (picks, largest, built) =
                sparse::with_neighbours(cloud, count, work.team, neighbours, work.seed);
            let largest = cloud.distance(f64::from(largest));
            Ok(located(picks, largest, start, built))
        }
    }
}

/// Chooses out of the whole matrix.
fn held<C: Cell>(
    cloud: &Cloud,
    count: usize,
    work: Work<'_>,
    start: Instant,
) -> Result<Located, CoresetError> {
    let mut source = Dense::<C>::new(cloud, work.team, work.spare)?;
    let built = start.elapsed().as_secs_f64();
    let picks = run(&mut source, count, &work);
    let largest = cloud.distance(f64::from(source.largest()));
    *work.spare = Some(source.into_slab());
    Ok(located(picks, largest, start, built))
}

fn run(source: &mut impl Source, count: usize, work: &Work<'_>) -> Picks {
    if let Some(bonus) = work.bonus {
        return greedy::event_driven(&mut Leaning::new(source, bonus), count, work.team);
    }
    match work.greedy {
        Greedy::Naive => greedy::naive(source, count),
        Greedy::Lazy => greedy::lazy(source, count, work.team),
        Greedy::Stochastic { epsilon } => greedy::stochastic(source, count, epsilon, work.seed),
        Greedy::EventDriven => greedy::event_driven(source, count, work.team),
    }
}

fn located(picks: Picks, largest: f64, start: Instant, built: f64) -> Located {
    Located {
        order: picks.order,
        owner: picks.owner,
        largest,
        build_seconds: built,
        select_seconds: start.elapsed().as_secs_f64() - built,
    }
}
