//! Pictures of figures, drawn by the server as SVG: pure functions of their data. Each has a title, a description and a legend that
//! does not rest on colour alone; the page shows the same figures as a table beside it.

pub mod against;
pub mod bars;
pub mod flows;
pub mod timeline;
