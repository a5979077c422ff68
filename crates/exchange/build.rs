//! `sqlx::migrate!` reads the folders at compile time; without this a new migration would not be seen.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
