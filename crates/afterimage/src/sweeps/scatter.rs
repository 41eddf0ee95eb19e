//! What stands on the charts of a sweep: configurations as points.

use std::collections::BTreeSet;

use afterimage_report::{Axis, Point};

/// Points of a chart: the best ones, and some of the others.
pub(super) const BEST: usize = 300;
pub(super) const OTHERS: usize = 300;

/// A logarithmic axis for numbers above 0 that span more than a decade; `what` they are.
pub(super) fn number_axis(what: &str, points: &[Point]) -> Axis {
    let low = points.iter().map(|p| p.x).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.x).fold(0.0, f64::max);
    if low > 0.0 && high / low > 10.0 {
        Axis::Log(what.to_owned())
    } else {
        Axis::Values(what.to_owned())
    }
}

/// Of many points, best first, the best ones, some of the others, and all of `front`, with the new places of
/// the latter.
pub(super) fn thinned(all: &[Point], front: &[usize]) -> (Vec<Point>, Vec<usize>) {
    let between = all.len().saturating_sub(BEST).div_ceil(OTHERS).max(1);
    let front: BTreeSet<usize> = front.iter().copied().collect();
    let stays = |place: usize| {
        place < BEST || (place - BEST).is_multiple_of(between) || front.contains(&place)
    };
    let kept: Vec<usize> = (0..all.len()).filter(|&place| stays(place)).collect();
    let places = kept.iter().enumerate();
    let places = places.filter(|(_, place)| front.contains(place));
    let mut places: Vec<usize> = places.map(|(new, _)| new).collect();
    let points: Vec<Point> = kept
        .iter()
        .filter_map(|&place| all.get(place).cloned())
        .collect();
    // A line from left to right.
    let x = |place: &usize| points.get(*place).map_or(f64::NAN, |point| point.x);
    places.sort_by(|a, b| x(a).total_cmp(&x(b)));
    (points, places)
}

/// The points that no other beats in both: less `x` and better `y`; from left to right.
pub(super) fn pareto_front(points: &[Point], is_better: impl Fn(f64, f64) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len())
        .filter(|&i| points[i].x.is_finite() && points[i].y.is_finite())
        .collect();
    order.sort_by(|&a, &b| points[a].x.total_cmp(&points[b].x));
    let mut front: Vec<usize> = Vec::new();
    for index in order {
        let Some(&last) = front.last() else {
            front.push(index);
            continue;
        };
        if is_better(points[index].y, points[last].y) {
            if points[index].x == points[last].x {
                front.pop();
            }
            front.push(index);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64, label: String) -> Point {
        Point {
            x,
            y,
            error: 0.0,
            group: 0,
            label,
            faded: false,
        }
    }

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let all = [
            (1.0, 0.5),
            (2.0, 0.4),
            (2.0, 0.6),
            (3.0, 0.6),
            (4.0, 0.9),
            (0.5, f64::NAN),
        ];
        let all = all.map(|(x, y)| point(x, y, String::new()));
        assert_eq!(pareto_front(&all, |a, b| a > b), [0, 2, 4]);
        assert_eq!(pareto_front(&all, |a, b| a < b), [0, 1]);
        assert!(pareto_front(&[], |a, b| a > b).is_empty());
    }

    #[test]
    fn of_many_points_the_best_and_the_front_stay() {
        let at = |index: usize| {
            let y = 1.0 - index as f64 * 1e-5;
            point(20_000.0 - index as f64, y, index.to_string())
        };
        let all: Vec<Point> = (0..10_000).map(at).collect();
        // The cheapest, which is the worst, and the best.
        let (points, front) = thinned(&all, &[9_999, 0]);
        assert!(points.len() <= BEST + OTHERS + 2, "{}", points.len());
        let labels: Vec<&str> = front.iter().map(|&at| points[at].label.as_str()).collect();
        assert_eq!(labels, ["9999", "0"]);
        assert_eq!(points[BEST - 1].label, (BEST - 1).to_string());
        let few = thinned(&all[..BEST + OTHERS], &[]).0;
        assert_eq!(few.len(), BEST + OTHERS);
    }

    #[test]
    fn an_axis_is_logarithmic_over_more_than_a_decade() {
        let is_log = |x: [f64; 2]| {
            let points = x.map(|x| point(x, 1.0, String::new()));
            matches!(number_axis("x", &points), Axis::Log(_))
        };
        assert!(is_log([0.1, 10.0]) && !is_log([1.0, 10.0]) && !is_log([0.0, 10.0]));
    }
}
