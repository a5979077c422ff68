//! The main job, end to end, on real tables: Python writes on S3, the server does the rest, Python reads.
mod witnesses;
