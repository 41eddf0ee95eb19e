//! How near is nearer than chance.

/// The neighbours whose distance is the measure of what is near.
pub(super) const NEIGHBOURS: [usize; 2] = [16, 64];
/// Points for each neighbour, at least.
const POINTS: usize = 4;
/// Rows of a table without duplicates that may be taken for some, on average.
const ALARMS: f64 = 0.05;
/// A duplicate is at most this part as far as the neighbours, however unlikely more would be.
const MOST: f64 = 0.3;
/// The quantile of the ratios from which the dimension is read: up to as many rows may have copies.
const QUANTILE: f64 = 0.75;

/// How near a near duplicate is, beside one of the row's neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// Which neighbour it is, from 1.
    pub neighbour: usize,
    /// The dimension of the rows, as far as their distances tell.
    pub dimension: f64,
    /// The largest distance of a near duplicate, as a part of the distance of this neighbour, in [0, 0.3].
    pub part: f64,
}

/// The neighbours that are looked at among as many points: none among few.
pub(super) fn neighbours(points: usize) -> Vec<usize> {
    let enough = |neighbour: &usize| points >= POINTS * neighbour;
    NEIGHBOURS.into_iter().filter(enough).collect()
}

/// How near is nearer than chance, from `ratios`: of some points the distance of the nearest over that of
/// neighbour K = `neighbour`; one of `rules` such rules for `points` points.
///
/// Where points lie evenly about a point in m dimensions, the ratio r is below c with probability
/// 1 − (1 − c^m)^(K − 1): the volumes of balls up to the neighbours are uniform order statistics. m is the
/// one for which the upper quartile of the ratios is the observed one, and c that for which all rules
/// together take 0.05 rows of the table for duplicates on average, but 0.3 at most.
pub(super) fn reach(ratios: &mut [f64], neighbour: usize, points: usize, rules: usize) -> Reach {
    let before = (neighbour - 1) as f64;
    let at = ((QUANTILE * ratios.len() as f64) as usize).min(ratios.len().saturating_sub(1));
    ratios.sort_unstable_by(f64::total_cmp);
    let observed = ratios.get(at).copied().unwrap_or(0.0);
    let volume = 1.0 - (1.0 - QUANTILE).powf(1.0 / before);
    // 0 of points that coincide, infinite where all neighbours are equally far.
    let dimension = match observed >= 1.0 {
        true => f64::INFINITY,
        false => volume.ln() / observed.max(0.0).ln(),
    };
    let chance = ALARMS / (rules as f64 * points as f64 * before);
    let part = match dimension > 0.0 {
        true => (chance.ln() / dimension).exp().min(MOST),
        false => 0.0,
    };
    Reach {
        neighbour,
        dimension,
        part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dimension_of_even_points_is_found_and_sets_the_reach() {
        // Quantiles of the ratio in five dimensions.
        let quantile = |p: f64| (1.0 - (1.0 - p).powf(1.0 / 15.0)).powf(0.2);
        let mut ratios: Vec<f64> = (0..1000)
            .map(|at| quantile((f64::from(at) + 0.5) / 1000.0))
            .collect();
        let found = reach(&mut ratios, 16, 1000, 1);
        assert!((found.dimension - 5.0).abs() < 0.05, "{found:?}");
        let alarms = 1000.0 * (1.0 - (1.0 - found.part.powf(found.dimension)).powf(15.0));
        assert!((alarms - 0.05).abs() < 1e-3, "{alarms}");
    }

    #[test]
    fn many_dimensions_do_not_make_far_rows_near_and_copies_everywhere_are_no_rule() {
        assert_eq!(reach(&mut [0.95; 50], 16, 1000, 2).part, MOST);
        assert_eq!(reach(&mut [1.0; 50], 16, 1000, 2).part, MOST);
        assert_eq!(reach(&mut [0.0; 50], 16, 1000, 2).part, 0.0);
        assert!(reach(&mut [0.05; 50], 16, 1000, 2).part < 1e-4);
        assert!(neighbours(63).is_empty());
        assert_eq!(neighbours(64), [16]);
        assert_eq!(neighbours(256), [16, 64]);
    }
}
