//! The end of a server's process: what was under way stands where it belongs before the process is gone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json as object};

use super::by_hand::World;
use super::cli::{Served, done, json};

/// More than both ends of a connection hold for a client that does not read.
const FILES: usize = 30_000;
/// As many as one recipient may have at once: their lines are written one behind the other.
const CLIENTS: usize = 4;
const TABLE: &str = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits/query";

fn address(served: &Served) -> &str {
    served.address.strip_prefix("http://").unwrap()
}

/// A client that asks for all files of the table; the first bytes of the answer.
fn ask(served: &Served, token: &str) -> (TcpStream, String) {
    let address = address(served);
    let mut client = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {TABLE} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut begun = vec![0; 1_000];
    let read = client.read(&mut begun).unwrap();
    begun.truncate(read);
    (client, String::from_utf8(begun).unwrap())
}

/// With the last clients the last requests end, and nothing is left of their answers but the lines.
#[tokio::test]
async fn answers_that_are_given_up_last_are_in_the_access_log() {
    let world = World::asking("live").await;
    let commit: String = (0..FILES)
        .map(|n| {
            let file = object!({
                "path": format!("f{n:05}.parquet"), "partitionValues": {}, "size": 1_000,
                "modificationTime": 1_780_000_000_000_i64, "dataChange": true,
            });
            format!("{}\n", object!({ "add": file }))
        })
        .collect();
    let log = world.path("aws_eu/visits/_delta_log");
    std::fs::write(log.join(format!("{:020}.json", 2)), commit).unwrap();
    let profile: Value =
        serde_json::from_str(&done(&world.data, &["recipient", "profile", "rnd_weu"])).unwrap();
    let token = profile["bearerToken"].as_str().unwrap();
    let served = Served::start(&world.data, &[]);
    let begin = Instant::now();
    let mut clients = Vec::new();
    while clients.len() < CLIENTS {
        let (client, begun) = ask(&served, token);
        if begun.starts_with("HTTP/1.1 200") {
            clients.push(client);
            continue;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{begun}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    served.tell_to_end();
    while TcpStream::connect(address(&served)).is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(clients);
    assert_eq!(served.ended(), 0);
    let lines = json(&world.data, &["recipient", "queries"]);
    let given = lines["items"].as_array().unwrap().iter();
    let given: Vec<&Value> = given.filter(|line| line["status"] == 200).collect();
    assert_eq!(given.len(), CLIENTS, "{lines:#}");
    for line in given {
        let files = line["files"].as_u64().unwrap();
        assert_eq!(line["outcome"], "abandoned");
        assert!((1..FILES as u64).contains(&files), "{line:#}");
    }
}
