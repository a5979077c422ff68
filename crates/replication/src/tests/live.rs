//! Every table that Spark wrote, whichever there are: those that are kept, or in the live form of the tests (`cargo xtask test
//! --spark`) what it has written just now. There the replicas are left for Spark to read, all of their versions.

use std::path::{Path, PathBuf};

use super::parity::{followed, stands, tables};
use super::world::World;

/// The replica's folder, as files.
fn keep(world: &World, folder: &Path) {
    for key in world.target.keys() {
        let file = folder.join(&key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, world.target.bytes_now(&key)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_that_spark_wrote_is_followed() {
    let entries = std::fs::read_dir(tables()).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = folders
        .filter(|folder| folder.join("_delta_log").is_dir())
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let replicas = std::env::var_os("TEST_REPLICAS").map(PathBuf::from);
    for name in names {
        println!("{name}");
        let world = followed(&name).await;
        if let Some(replicas) = &replicas {
            keep(&world, &replicas.join(&name));
        }
        stands(&world).await;
    }
}
