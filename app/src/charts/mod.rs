//! Pictures of figures, drawn by the server as SVG: pure functions of their data. Each has a title, a description and a legend that
//! does not rest on colour alone; the page shows the same figures as a table beside it. What is
//! drawn leads to the page of what it shows.

pub mod against;
pub mod bars;
pub mod flows;
mod part;
pub mod timeline;
