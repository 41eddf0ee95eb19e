//! The frame of a page.

use maud::{Markup, PreEscaped, Render, html};

use crate::Section;

const DOCTYPE: PreEscaped<&str> = PreEscaped("<!doctype html>\n");
const STYLE: PreEscaped<&str> = PreEscaped(include_str!("style.css"));
const SCRIPT: PreEscaped<&str> = PreEscaped(include_str!("script.js"));

/// A page that needs no other file: a heading, what stands below it, and sections.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    head: Markup,
    sections: Vec<Section>,
    has_contents: bool,
    is_live: bool,
}

impl Page {
    /// A page with the title and heading `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            head: Markup::default(),
            sections: Vec::new(),
            has_contents: false,
            is_live: false,
        }
    }

    /// Puts `content` below the heading, behind what is there.
    #[must_use]
    pub fn head(mut self, content: impl Render) -> Self {
        content.render_to(&mut self.head.0);
        self
    }

    /// Begins with links to the sections.
    #[must_use]
    pub fn contents(mut self) -> Self {
        self.has_contents = true;
        self
    }

    /// Adds a script of its own by which tables sort and filter, and charts tell the numbers under the pointer;
    /// without scripts the page shows the same.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    /// Puts a section behind the others; one without content is not shown.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// As [`section`](Self::section), with several.
    #[must_use]
    pub fn sections(mut self, sections: impl IntoIterator<Item = Section>) -> Self {
        self.sections.extend(sections);
        self
    }

    /// The page as a file's text.
    pub fn html(&self) -> String {
        let shown = || self.sections.iter().filter(|section| !section.is_empty());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    title { (self.title) }
                    style { (STYLE) }
                }
                body {
                    main {
                        h1 { (self.title) }
                        (self.head)
                        @if self.has_contents && shown().next().is_some() {
                            nav aria-label="Sections" { @for section in shown() { (section.link()) } }
                        }
                        @for section in shown() { (section) }
                        @if self.is_live { script { (SCRIPT) } }
                    }
                }
            }
        };
        page.into_string() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_begins_with_links_to_its_sections() {
        let page = |sections: Vec<Section>| Page::new("t").contents().sections(sections).html();
        let html = page(vec![
            Section::new("What was found").content("x"),
            Section::new("Nothing"),
            Section::new("Tables").content("y").folded(),
        ]);
        assert!(
            html.contains(
                "<nav aria-label=\"Sections\"><a href=\"#what-was-found\">What was found</a>\
                 <a href=\"#tables\">Tables</a></nav>"
            ),
            "{html}"
        );
        assert!(!page(Vec::new()).contains("<nav"));
    }

    #[test]
    fn a_page_has_a_script_where_it_is_asked_for() {
        let scripts = |page: Page| page.html().matches("<script").count();
        assert_eq!(scripts(Page::new("<script>")), 0);
        assert_eq!(scripts(Page::new("<script>").live()), 1);
    }
}
