//! Searches of problems whose best points are known, beside random ones of the same budget.

use super::front::front;
use super::*;

/// Runs a search of `f` over `genes`: all points with their losses.
fn search(
    kind: SearchKind,
    seed: u64,
    genes: &[Gene],
    (generations, size): (usize, usize),
    f: &dyn Fn(&[f64]) -> Vec<f64>,
) -> Vec<Told> {
    let mut told: Vec<Vec<Told>> = Vec::new();
    for _ in 0..generations {
        let known = Known {
            kind,
            seed,
            size,
            genes,
            told: &told,
        };
        let points = generation(&known, size, &mut |_| true);
        let told_now = points.into_iter().map(|point| Told {
            losses: Some(f(&point)),
            point,
        });
        told.push(told_now.collect());
    }
    told.into_iter().flatten().collect()
}

/// The area between the losses and `corner` that the points dominate.
fn area(told: &[Told], corner: (f64, f64)) -> f64 {
    let losses: Vec<Vec<f64>> = told.iter().filter_map(|one| one.losses.clone()).collect();
    let is_front = front(&losses);
    let mut on: Vec<&Vec<f64>> = losses
        .iter()
        .zip(is_front)
        .filter(|(_, is)| *is)
        .map(|(l, _)| l)
        .collect();
    on.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut sum = 0.0;
    let mut top = corner.1;
    for losses in on {
        let (width, height) = ((corner.0 - losses[0]).max(0.0), (top - losses[1]).max(0.0));
        sum += width * height;
        top = top.min(losses[1]);
    }
    sum
}

/// ZDT1 (Zitzler, Deb and Thiele 2000) in ten numbers; its front is √f₁ + f₂ = 1.
fn zdt1(x: &[f64]) -> Vec<f64> {
    let g = 1.0 + 9.0 * x[1..].iter().sum::<f64>() / (x.len() - 1) as f64;
    vec![x[0], g * (1.0 - (x[0] / g).sqrt())]
}

fn sphere(x: &[f64]) -> Vec<f64> {
    vec![x.iter().map(|x| (x - 0.3).powi(2)).sum()]
}

#[test]
fn nsga2_comes_nearer_to_the_front_of_zdt1_than_random_search() {
    let genes = [Gene::Number; 10];
    let mut sum = 0.0;
    for seed in 0..5 {
        let of = |kind| {
            let told = search(kind, seed, &genes, (25, 16), &zdt1);
            area(&told, (1.0, 11.0))
        };
        let (own, random) = (of(SearchKind::Nsga2), of(SearchKind::Random));
        assert!(own > random + 0.4, "seed {seed}: {own} and {random}");
        sum += own;
    }
    // The whole front has 10 + 2/3: ∫ 11 − (1 − √f₁) from 0 to 1. Random search comes to 8.6.
    assert!(sum / 5.0 > 9.6, "{sum}");
}

#[test]
fn tpe_comes_nearer_to_the_middle_of_a_sphere_than_random_search() {
    let genes = [Gene::Number; 4];
    for seed in 0..5 {
        let of = |kind| {
            let told = search(kind, seed, &genes, (15, 8), &sphere);
            let losses = told
                .iter()
                .filter_map(|one| one.losses.as_ref()?.first().copied());
            losses.fold(f64::INFINITY, f64::min)
        };
        let (own, random) = (of(SearchKind::Tpe), of(SearchKind::Random));
        assert!(
            own < 0.5 * random && own < 0.02,
            "seed {seed}: {own} and {random}"
        );
    }
}

#[test]
fn choices_are_learnt_too() {
    let genes = [Gene::Choice(6), Gene::Number, Gene::Choice(2)];
    let one = |x: &[f64]| {
        let wrong = f64::from((x[0] * 6.0) as u32 != 4) + f64::from(x[2] < 0.5);
        vec![wrong + (x[1] - 0.8).abs()]
    };
    let two = |x: &[f64]| vec![one(x)[0], (x[1] - 0.2).abs()];
    let right = |told: &[Told]| {
        let late = &told[told.len() - 16..];
        let right = |one: &&Told| (one.point[0] * 6.0) as u32 == 4 && one.point[2] >= 0.5;
        late.iter().filter(right).count()
    };
    for seed in 0..3 {
        let tpe = search(SearchKind::Tpe, seed, &genes, (10, 8), &one);
        assert!(right(&tpe) >= 10, "tpe {seed}: {}", right(&tpe));
        let nsga2 = search(SearchKind::Nsga2, seed, &genes, (12, 16), &two);
        assert!(right(&nsga2) >= 4, "nsga2 {seed}: {}", right(&nsga2));
    }
}

#[test]
fn a_generation_hangs_on_what_was_told_alone_and_failures_have_no_children() {
    let genes = [Gene::Number, Gene::Choice(3)];
    for kind in [SearchKind::Tpe, SearchKind::Nsga2] {
        let f = |x: &[f64]| vec![x[0], 1.0 - x[0]];
        assert_eq!(
            search(kind, 4, &genes, (4, 6), &f),
            search(kind, 4, &genes, (4, 6), &f)
        );
        assert_ne!(
            search(kind, 4, &genes, (4, 6), &f),
            search(kind, 5, &genes, (4, 6), &f)
        );
        // Nothing but failures: points are drawn.
        let failed = vec![
            Told {
                point: vec![0.5, 0.5],
                losses: None
            };
            20
        ];
        let told = [failed];
        let known = Known {
            kind,
            seed: 1,
            size: 4,
            genes: &genes,
            told: &told,
        };
        let points = generation(&known, 4, &mut |_| true);
        assert_eq!(points.len(), 4);
        assert!(
            points.iter().flatten().all(|x| (0.0..=1.0).contains(x)),
            "{points:?}"
        );
    }
}

#[test]
fn a_space_that_is_used_up_ends_the_search() {
    let genes = [Gene::Choice(3)];
    for kind in [SearchKind::Tpe, SearchKind::Nsga2] {
        let mut seen = std::collections::BTreeSet::new();
        let known = Known {
            kind,
            seed: 0,
            size: 8,
            genes: &genes,
            told: &[],
        };
        let points = generation(&known, 8, &mut |x| seen.insert((x[0] * 3.0) as u32));
        assert_eq!(points.len(), 3, "{kind:?}");
    }
}
