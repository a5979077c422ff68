//! The main job, end to end, on real tables: Python writes on S3, the server does the rest through `/api/v1`, Python reads
//! through downloaded profiles, and everything is compared: every row, every byte, every amount.

mod adopting;
mod counting;
mod faults;
mod person;
mod steps;
mod travel;
mod witnesses;
mod world;
