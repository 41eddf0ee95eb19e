//! Samples on a map, as inline SVG: some of them marked, their area a weight, the others faint below.

use std::f64::consts::PI;

use maud::{Markup, Render, html};

use crate::chart::ticks;
use crate::colour::of_group;
use crate::csv::{csv_cell, csv_link, line};
use crate::number::{digits, short, span};

/// The map is wider than a chart; on a small window its text is larger (see the style sheet).
const WIDTH: f64 = 480.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 38.0;
/// Heights that the plot may have.
const HEIGHTS: (f64, f64) = (150.0, 400.0);
/// The air around the dots on each side, as a share of their distance.
const AIR: f64 = 0.05;
/// Share of the plot that marked dots may cover, if none lay over another.
const COVERED: f64 = 0.08;
/// Radii of the largest marked dot, of the smallest, and of those that are not marked.
const LARGEST: f64 = 11.0;
const SMALLEST: f64 = 1.8;
const OTHER: f64 = 1.4;
/// Groups that are named below the map at once; those of more are asked for.
const NAMED: usize = 14;

/// A dot of a [`Scatter`].
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// Horizontal place; one that is not finite is not drawn.
    pub x: f64,
    /// Vertical place, likewise.
    pub y: f64,
    /// Index of the group that it is coloured by.
    pub group: usize,
    /// What its area stands for, if it is marked; one without area is hollow.
    pub weight: Option<f64>,
    /// What it is called.
    pub name: String,
}

impl Dot {
    fn weight(&self) -> f64 {
        self.weight.unwrap_or(0.0)
    }
}

/// A map of dots with one scale for both axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// What it is called.
    pub title: String,
    /// What lies along the horizontal and the vertical axis.
    pub axes: [String; 2],
    /// The dots; those with a weight are drawn over the others, the largest first.
    pub dots: Vec<Dot>,
    /// Names of the groups. With fewer than two, colours tell the marked from the others.
    pub groups: Vec<String>,
    /// What a marked dot is, and what another.
    pub words: [String; 2],
}

/// Where dots stand.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Field {
    /// The place in the middle.
    middle: (f64, f64),
    /// Pixels a unit, in both directions.
    scale: f64,
    height: f64,
}

impl Field {
    /// The field of `dots`; none without a dot that has a place.
    fn of(dots: &[&Dot]) -> Option<Self> {
        dots.first()?;
        let x = span(dots.iter().map(|dot| dot.x));
        let y = span(dots.iter().map(|dot| dot.y));
        let size = |(low, high): (f64, f64)| (high - low) * (1.0 + 2.0 * AIR);
        let (mut wide, tall) = (size(x), size(y));
        if wide <= 0.0 && tall <= 0.0 {
            wide = x.0.abs().max(y.0.abs()).max(1.0);
        }
        // A direction in which nothing differs asks for no room.
        let scale = (plot_width() / wide).min(HEIGHTS.1 / tall);
        Some(Self {
            middle: ((x.0 + x.1) / 2.0, (y.0 + y.1) / 2.0),
            scale,
            height: (tall * scale).clamp(HEIGHTS.0, HEIGHTS.1),
        })
    }

    fn left(&self, x: f64) -> f64 {
        LEFT + plot_width() / 2.0 + (x - self.middle.0) * self.scale
    }

    fn top(&self, y: f64) -> f64 {
        TOP + self.height / 2.0 - (y - self.middle.1) * self.scale
    }

    /// Round numbers along both axes.
    fn ticks(&self) -> [Vec<f64>; 2] {
        let (wide, tall) = (
            plot_width() / self.scale / 2.0,
            self.height / self.scale / 2.0,
        );
        let (x, y) = self.middle;
        [
            ticks((x - wide, x + wide), 6),
            ticks((y - tall, y + tall), 5),
        ]
    }
}

fn plot_width() -> f64 {
    WIDTH - LEFT - RIGHT
}

impl Scatter {
    fn has_groups(&self) -> bool {
        self.groups.len() > 1
    }

    fn group(&self, dot: &Dot) -> &str {
        self.groups.get(dot.group).map_or("", String::as_str)
    }

    /// The colour of a dot.
    fn paint(&self, dot: &Dot) -> String {
        match (self.has_groups(), dot.weight) {
            (true, _) => of_group(dot.group, self.groups.len()),
            (false, Some(_)) => "var(--c0)".to_owned(),
            (false, None) => "var(--soft)".to_owned(),
        }
    }

    fn plot(&self, dots: &[&Dot], field: &Field) -> Markup {
        let (right, bottom) = (WIDTH - RIGHT, TOP + field.height);
        let [across, up] = field.ticks();
        let (mut marked, others): (Vec<&Dot>, Vec<&Dot>) =
            dots.iter().copied().partition(|dot| dot.weight.is_some());
        marked.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
        let weights: Vec<f64> = marked.iter().map(|dot| dot.weight()).collect();
        let unit = area(&weights, plot_width() * field.height);
        html! {
            svg viewBox=(format!("0 0 {WIDTH} {:.0}", bottom + BOTTOM)) role="img" aria-label=(self.title) {
                @for tick in up {
                    @let y = field.top(tick);
                    path.rule d=(format!("M{LEFT} {y:.1}H{right}")) {}
                    text.y x=(LEFT - 6.0) y=(format!("{:.1}", y + 4.0)) { (short(tick)) }
                }
                @for tick in across {
                    @let x = field.left(tick);
                    path.rule d=(format!("M{x:.1} {TOP}V{bottom:.1}")) {}
                    text.x x=(format!("{x:.1}")) y=(format!("{:.1}", bottom + 14.0)) { (short(tick)) }
                }
                text x="2" y="13" { (self.axes[1]) }
                text.y x=(right) y=(format!("{:.1}", bottom + 31.0)) { (self.axes[0]) }
                g.rest { @for dot in others { (self.drawn(dot, OTHER, field)) } }
                g.marked { @for dot in marked { (self.drawn(dot, radius(dot.weight(), unit), field)) } }
            }
        }
    }

    fn drawn(&self, dot: &Dot, radius: f64, field: &Field) -> Markup {
        let paint = self.paint(dot);
        let is_hollow = dot.weight.is_some_and(|weight| weight <= 0.0);
        let (fill, stroke) = match is_hollow {
            true => ("none", Some(paint.as_str())),
            false => (paint.as_str(), None),
        };
        html! {
            circle cx=(format!("{:.1}", field.left(dot.x))) cy=(format!("{:.1}", field.top(dot.y)))
                r=(format!("{radius:.1}")) fill=(fill) stroke=[stroke] {
                title {
                    (dot.name)
                    @if self.has_groups() { ", " (self.group(dot)) }
                    @match dot.weight {
                        Some(weight) => { ": weight " (short(weight)) }
                        None => { ": " (self.words[1]) }
                    }
                }
            }
        }
    }

    /// The dots, a row each; those that are not marked have no weight.
    fn csv(&self) -> String {
        let mut text = "name,group,weight,x,y\n".to_owned();
        for dot in &self.dots {
            text += &line([
                csv_cell(&dot.name),
                csv_cell(self.group(dot)),
                dot.weight.map_or_else(String::new, digits),
                digits(dot.x),
                digits(dot.y),
            ]);
        }
        text
    }

    fn legend(&self) -> Markup {
        let count = self.groups.len();
        let names = html! {
            ul.legend {
                @for (index, name) in self.groups.iter().enumerate() {
                    li { i.dot style={ "background:" (of_group(index, count)) } {} (name) }
                }
            }
        };
        let [marked, other] = match self.has_groups() {
            true => ["var(--soft)"; 2],
            false => ["var(--c0)", "var(--soft)"],
        };
        html! {
            ul.legend {
                li { i.dot.marked style={ "background:" (marked) } {} (self.words[0]) }
                li { i.dot.rest style={ "background:" (other) } {} (self.words[1]) }
            }
            @if count > NAMED {
                details.legend {
                    summary {
                        (count) " colours, from " (self.groups[0]) " (blue) to " (self.groups[count - 1]) " (red)"
                    }
                    (names)
                }
            } @else if self.has_groups() {
                (names)
            }
        }
    }
}

impl Render for Scatter {
    /// The figure: title, numbers as CSV, map and legend; nothing where no dot has a place.
    fn render(&self) -> Markup {
        let has_place = |dot: &&Dot| dot.x.is_finite() && dot.y.is_finite();
        let dots: Vec<&Dot> = self.dots.iter().filter(has_place).collect();
        let Some(field) = Field::of(&dots) else {
            return Markup::default();
        };
        html! {
            figure.dots {
                figcaption { (self.title) (csv_link(&self.title, &self.csv())) }
                (self.plot(&dots, &field))
                (self.legend())
            }
        }
    }
}

/// Square pixels of a weight of 1 on a plot of `room`: all together cover a small part of it, and none is too large.
fn area(weights: &[f64], room: f64) -> f64 {
    let positive = || weights.iter().filter(|weight| **weight > 0.0);
    let largest = positive().copied().fold(0.0, f64::max);
    let sum: f64 = positive().map(|weight| weight / largest).sum();
    match sum > 0.0 {
        true => (COVERED * room / sum).min(PI * LARGEST * LARGEST) / largest,
        false => 0.0,
    }
}

/// The radius of a dot, large enough to be seen.
fn radius(weight: f64, unit: f64) -> f64 {
    (weight.max(0.0) * unit / PI).sqrt().max(SMALLEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: f64, y: f64, weight: Option<f64>) -> Dot {
        Dot {
            x,
            y,
            group: 0,
            weight,
            name: "<n>".to_owned(),
        }
    }

    fn scatter(dots: Vec<Dot>, groups: &[&str]) -> Scatter {
        Scatter {
            title: "a<b".to_owned(),
            axes: ["first".to_owned(), "second".to_owned()],
            dots,
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            words: ["chosen".to_owned(), "not chosen".to_owned()],
        }
    }

    #[test]
    fn a_unit_is_as_long_in_both_directions() {
        for dots in [
            [dot(0.0, 0.0, None), dot(4.0, 1.0, None)],
            [dot(0.0, 0.0, None), dot(1.0, 40.0, None)],
            [dot(2.0, 5.0, None), dot(3.0, 5.0, None)],
        ] {
            let field = Field::of(&dots.iter().collect::<Vec<_>>());
            assert!(field.is_some());
            let Some(field) = field else { continue };
            let across = field.left(1.0) - field.left(0.0);
            let up = field.top(0.0) - field.top(1.0);
            assert!((across - up).abs() < 1e-9 && across > 0.0);
            for dot in &dots {
                let (left, top) = (field.left(dot.x), field.top(dot.y));
                assert!((LEFT..=WIDTH - RIGHT).contains(&left), "{left}");
                assert!((TOP..=TOP + field.height).contains(&top), "{top}");
            }
        }
        assert_eq!(Field::of(&[]), None);
    }

    #[test]
    fn areas_are_weights() {
        let unit = area(&[1.0, 4.0, 0.0], 1e6);
        assert!((radius(4.0, unit) - LARGEST).abs() < 1e-9);
        assert!((radius(1.0, unit) - LARGEST / 2.0).abs() < 1e-9);
        assert_eq!(radius(0.0, unit), SMALLEST);
        // Many equal ones cover a part of the plot, whatever their weights are.
        for weight in [1e-30, 1.0, 1e30] {
            let unit = area(&[weight; 500], 1e5);
            let covered = 500.0 * PI * radius(weight, unit).powi(2);
            assert!((covered / 1e5 - COVERED).abs() < 1e-9, "{covered}");
        }
        assert_eq!(area(&[0.0], 1.0), 0.0);
    }

    #[test]
    fn a_map_has_its_dots_its_numbers_and_its_whole_legend() {
        let mut dots = vec![dot(0.0, 0.0, None), dot(1.0, 2.0, Some(3.0))];
        dots.push(dot(f64::NAN, 1.0, None));
        dots.push(dot(0.5, 1.0, Some(0.0)));
        dots[1].group = 1;
        let html = scatter(dots.clone(), &["cat", "dog"])
            .render()
            .into_string();
        assert_eq!(html.matches("<circle").count(), 3, "{html}");
        assert_eq!(html.matches("fill=\"none\"").count(), 1);
        for words in [
            ">&lt;n&gt;, dog: weight 3<",
            ">&lt;n&gt;, cat: not chosen<",
            "name,group,weight,x,y%0A%3Cn%3E,cat,,0,0%0A%3Cn%3E,dog,3,1,2%0A",
            "</i>cat</li>",
            "</i>dog</li>",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let svg = html.split("</svg>").next().unwrap_or_default();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !html.contains("a<b"));
        // Marked ones lie over the others.
        assert!(svg.find("class=\"rest\"") < svg.find("class=\"marked\""));

        let alone = scatter(dots, &[]).render().into_string();
        assert!(alone.contains("fill=\"var(--c0)\"") && alone.contains("fill=\"var(--soft)\""));
        let names: Vec<String> = (0..20).map(|at| format!("c{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let many = scatter(vec![dot(0.0, 0.0, Some(1.0))], &names);
        let many = many.render().into_string();
        assert!(
            many.contains("<details") && many.contains("</i>c13</li>"),
            "{many}"
        );
        assert!(!many.contains("NaN") && !many.contains("inf"), "{many}");
        let nowhere = scatter(vec![dot(f64::INFINITY, 0.0, None)], &[]);
        assert_eq!(nowhere.render().into_string(), "");
    }
}
