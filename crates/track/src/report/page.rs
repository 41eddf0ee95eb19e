//! The page of a run: what stands on it, and in which order.

use afterimage_report::{Page, not_shown};
use maud::html;

use super::load::Run;
use super::{evaluation, layers, pictures, sections, summary, tables};

/// Puts the page together: what was found, what was run, then the evidence, the layers first.
pub fn render(run: &Run) -> String {
    let last = run.last.filter(|_| run.is_training());
    let head = html! {
        @if let Some((step, epoch)) = last {
            p.note { (epoch) " epochs, " (step) " steps on record" }
        }
        (not_shown(&run.damaged))
    };
    Page::new(&run.name)
        .head(head)
        .contents()
        .live()
        .section(sections::found(run))
        .section(summary::summary(run))
        .sections(layers::layers(run))
        .section(evaluation::evaluation(run))
        .sections(sections::memorization(run))
        .section(pictures::pictures(run))
        .section(evaluation::training(run))
        .section(sections::histograms(run))
        .section(sections::others(run))
        .section(sections::cost(run))
        .section(tables::tables(run))
        .section(summary::configuration(run))
        .html()
}
