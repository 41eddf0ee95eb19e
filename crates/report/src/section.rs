//! The sections of a page, and what folds.

use maud::{Markup, Render, html};

/// A heading with what stands below it. One without content is not shown.
#[derive(Debug, Clone)]
pub struct Section {
    title: String,
    note: Markup,
    content: Markup,
    has_grid: bool,
    is_folded: bool,
}

impl Section {
    /// A section that is called `title`, empty so far.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            note: Markup::default(),
            content: Markup::default(),
            has_grid: false,
            is_folded: false,
        }
    }

    /// Says `note` below the heading; one that is empty is not shown.
    #[must_use]
    pub fn note(mut self, note: impl Render) -> Self {
        self.note = note.render();
        self
    }

    /// Puts `content` behind what is there.
    #[must_use]
    pub fn content(mut self, content: impl Render) -> Self {
        content.render_to(&mut self.content.0);
        self
    }

    /// Puts figures behind what is there, as many beside each other as the window has room for.
    #[must_use]
    pub fn figures(mut self, figures: impl IntoIterator<Item = impl Render>) -> Self {
        self.has_grid |= self.content.0.is_empty();
        for figure in figures {
            figure.render_to(&mut self.content.0);
        }
        self
    }

    /// Closes the section until it is asked for: evidence that most readers do not need.
    #[must_use]
    pub fn folded(mut self) -> Self {
        self.is_folded = true;
        self
    }

    /// Whether it has no content, and is not shown.
    pub fn is_empty(&self) -> bool {
        self.content.0.is_empty()
    }

    /// The link to the section from the top of the page.
    pub(crate) fn link(&self) -> Markup {
        html! { a href={ "#" (anchor(&self.title)) } { (self.title) } }
    }
}

impl Render for Section {
    fn render(&self) -> Markup {
        if self.is_empty() {
            return Markup::default();
        }
        let heading = html! { h2 id=(anchor(&self.title)) { (self.title) } };
        let inside = html! {
            @if !self.note.0.is_empty() { p.note { (self.note) } }
            div class=[self.has_grid.then_some("grid")] { (self.content) }
        };
        html! {
            @if self.is_folded {
                details.fold { summary { (heading) } (inside) }
            } @else {
                section { (heading) (inside) }
            }
        }
    }
}

/// What a reader opens: a line, and what is below it.
#[derive(Debug, Clone)]
pub struct Fold<C> {
    line: Markup,
    content: C,
}

impl<C: Render> Fold<C> {
    /// `content` below `line`.
    pub fn new(line: impl Render, content: C) -> Self {
        Self {
            line: line.render(),
            content,
        }
    }
}

impl<C: Render> Render for Fold<C> {
    fn render(&self) -> Markup {
        html! { details { summary { (self.line) } (self.content) } }
    }
}

/// What a link calls `title`, and a file is named by it: lower-case letters, digits and dashes.
pub(crate) fn anchor(title: &str) -> String {
    let letters = title
        .chars()
        .filter(|letter| !matches!(letter, '<' | '>' | '&' | '"'));
    letters
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_make_a_grid_and_text_does_not() {
        let shown = |section: Section| section.render().into_string();
        let grid = shown(Section::new("A").figures([html! { figure {} }]));
        assert_eq!(
            grid,
            "<section><h2 id=\"a\">A</h2><div class=\"grid\"><figure></figure></div></section>"
        );
        let text = shown(Section::new("B c").note("<n>").content("x").folded());
        assert_eq!(
            text,
            "<details class=\"fold\"><summary><h2 id=\"b-c\">B c</h2></summary>\
             <p class=\"note\">&lt;n&gt;</p><div>x</div></details>"
        );
        assert_eq!(shown(Section::new("C").note("n")), "");
    }
}
