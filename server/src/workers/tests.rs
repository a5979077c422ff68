//! Leasing, renewing, failing and being fenced, on a real database.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use exchange::db::Db;
use exchange::jobs::Wake;
use exchange::page::PageRequest;
use model::{ManualClock, Timestamp};

use super::*;
use crate::adapters::connect::{Wiring, connect};
use crate::adapters::keyring::FileKeyRing;
use crate::adapters::stores::Lake;

struct World {
    exchange: Exchange,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("entrepot.db").to_string_lossy())
        .await
        .unwrap();
    db.migrate().await.unwrap();
    let keys = FileKeyRing::open(&folder.path().join("keys"), true).unwrap();
    let clock = ManualClock::at(Timestamp::parse("2026-06-15").unwrap());
    let wiring = Wiring {
        db,
        clock: Arc::new(clock),
        keys: Arc::new(keys),
        lake: Lake::new(storage::Limits::default(), delta::Budgets::default()),
        options: exchange::Options::default(),
        here: None,
        post: exchange::ports::Post::default(),
    };
    World {
        exchange: connect(wiring).await.unwrap().exchange,
        _folder: folder,
    }
}

/// Answers what it is told to, and notes what it was asked.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Result<Outcome, WorkFailed>>>,
    asked: Mutex<Vec<(String, i64)>>,
    at_once: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Handler for Scripted {
    async fn run(&self, work: &Leased, _: &CancellationToken) -> Result<Outcome, WorkFailed> {
        let running = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.asked
            .lock()
            .unwrap()
            .push((work.key.clone(), work.attempt));
        tokio::task::yield_now().await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.answers
            .lock()
            .unwrap()
            .pop()
            .unwrap_or(Ok(Outcome::Done))
    }
}

fn worker(world: &World, handler: Arc<Scripted>) -> Worker {
    Worker {
        exchange: world.exchange.clone(),
        owner: owner(),
        location: None,
        handlers: HashMap::from([(WorkKind::Refresh, handler as Arc<dyn Handler>)]),
        ticks: Vec::new(),
        parallel: 2,
        poll: Duration::from_millis(10),
    }
}

async fn wake(world: &World, kind: WorkKind, key: &str) {
    let wake = Wake::new(kind, key);
    world
        .exchange
        .wake(&Principal::system(), &wake)
        .await
        .unwrap();
}

async fn rows(world: &World) -> Vec<exchange::jobs::WorkRow> {
    let operator = Principal::operator();
    let page = PageRequest::default();
    world
        .exchange
        .work_list(&operator, &page)
        .await
        .unwrap()
        .items
}

#[tokio::test]
async fn work_is_done_and_gone() {
    let world = world().await;
    let handler = Arc::new(Scripted::default());
    let worker = worker(&world, handler.clone());
    assert_eq!(worker.drain().await, 0);
    wake(&world, WorkKind::Refresh, "a").await;
    wake(&world, WorkKind::Refresh, "a").await;
    wake(&world, WorkKind::Refresh, "b").await;
    assert_eq!(worker.drain().await, 2);
    assert!(rows(&world).await.is_empty());
    // Wished for at the same instant, they come in the order of the wishes.
    let asked = handler.asked.lock().unwrap().clone();
    assert_eq!(asked, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
}

#[tokio::test]
async fn failures_wait_and_terminal_ones_are_parked() {
    let world = world().await;
    let handler = Arc::new(Scripted::default());
    let failed = |terminal| {
        Err(WorkFailed {
            sentence: "the store is shut".to_owned(),
            terminal,
        })
    };
    handler.answers.lock().unwrap().push(failed(false));
    let worker = worker(&world, handler.clone());
    wake(&world, WorkKind::Refresh, "a").await;
    assert_eq!(worker.drain().await, 1, "not again at once");
    let row = rows(&world).await.remove(0);
    assert_eq!((row.failures, row.parked), (1, false));
    assert_eq!(row.last_error.as_deref(), Some("the store is shut"));
    handler.answers.lock().unwrap().push(failed(true));
    wake(&world, WorkKind::Refresh, "a").await;
    assert_eq!(worker.drain().await, 1);
    assert!(rows(&world).await.remove(0).parked);
}

#[tokio::test]
async fn work_without_a_handler_waits_for_a_person() {
    let world = world().await;
    let worker = worker(&world, Arc::default());
    wake(&world, WorkKind::Report, "report").await;
    assert_eq!(worker.drain().await, 1);
    let row = rows(&world).await.remove(0);
    assert!(row.parked && row.last_error.unwrap().contains("report"));
}

#[tokio::test]
async fn a_running_worker_lives_works_and_goes() {
    let world = world().await;
    let handler = Arc::new(Scripted::default());
    for n in 0..6 {
        wake(&world, WorkKind::Refresh, &n.to_string()).await;
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&world, handler.clone()).run(stop.clone()));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !rows(&world).await.is_empty() {
        assert!(Instant::now() < deadline, "the work is not done");
        tokio::task::yield_now().await;
    }
    // The pulse goes its own way, beside the work.
    while world.exchange.workers_alive(60 * SECOND).await.unwrap() != 1 {
        assert!(
            Instant::now() < deadline,
            "the worker does not say that it lives"
        );
        tokio::task::yield_now().await;
    }
    assert!(
        handler.most.load(Ordering::SeqCst) <= 2,
        "no more at a time than seats"
    );
    stop.cancel();
    running.await.unwrap();
    assert_eq!(world.exchange.workers_alive(60 * SECOND).await.unwrap(), 0);
    wake(&world, WorkKind::Refresh, "late").await;
    assert_eq!(rows(&world).await.len(), 1, "left to others");
}
