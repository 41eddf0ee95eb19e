//! Pages that need no other file and no network: sections, tables, charts, heat maps and maps of samples as HTML
//! and SVG, each with its numbers as CSV.
//!
//! Markup is written with [`maud`]: whatever is spliced into it is escaped, unless it is [`maud::Markup`] itself,
//! which only `maud` makes. A name that somebody else chose is text wherever it stands, in an attribute, too.
//!
//! A [`Page`] is a heading and [`Section`]s. A section without content is left out, so that parts of a page
//! need not ask whether they have something to show. [`Table`] and [`Chart`] are spliced like text, and so are
//! [`HeatMap`], [`Ridges`] and [`Scatter`].
//!
//! ```
//! use afterimage_report::{Axis, Cell, Chart, Page, Section, Series, Table};
//!
//! let loss = Series::new("train", vec![(0.0, 2.5), (1.0, 1.75), (2.0, 1.5)]);
//! let chart = Chart::lines("loss", Axis::Counts("epoch".to_owned()), vec![loss]);
//!
//! let mut table = Table::new(&["layer", "UnitMem"]).sorts("unitmem");
//! table.row([Cell::from("encoder.<1>"), Cell::number(0.4321)]);
//!
//! let page = Page::new("A run & its report")
//!     .contents()
//!     .live()
//!     .section(Section::new("Training").figures([chart]))
//!     .section(Section::new("Layers").note("At the last epoch.").content(table))
//!     .section(Section::new("Nothing was measured here"))
//!     .html();
//!
//! assert!(page.contains("<h1>A run &amp; its report</h1>"));
//! assert!(page.contains("encoder.&lt;1&gt;") && page.contains(">0.4321<"));
//! assert!(page.contains("<a href=\"#training\">Training</a>"));
//! assert!(!page.contains("Nothing was measured"));
//! ```

mod chart;
mod colour;
mod csv;
mod heat;
mod name;
mod number;
mod page;
mod picture;
mod prose;
mod ridges;
mod scatter;
mod section;
mod table;

pub use chart::{Axis, Chart, Point, Points, Series};
pub use colour::between;
pub use csv::csv_cell;
pub use heat::{HeatCell, HeatMap, Scale};
pub use number::{aligned, evenly, short, short_or_dash};
pub use page::Page;
pub use picture::data_uri;
pub use prose::{items, not_shown, prose};
pub use ridges::{Ridge, Ridges};
pub use scatter::{Dot, Scatter};
pub use section::{Fold, Section};
pub use table::{Cell, Table};
