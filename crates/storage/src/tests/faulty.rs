//! The faults themselves.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::memory::InMemory;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};

use super::{body, key};
use crate::faults::{Effect, Fault, FaultyStore, Operation};

fn payload() -> PutPayload {
    PutPayload::from_static(b"0123456789")
}

#[tokio::test]
async fn each_effect_hits_the_operation_it_was_planned_for() {
    let inner = Arc::new(InMemory::new());
    let fault = |operation, nth, effect| Fault {
        operation,
        nth,
        effect,
    };
    let store = FaultyStore::new(
        inner.clone(),
        [
            fault(Operation::Put, 2, Effect::Fail),
            fault(Operation::Put, 3, Effect::LostResponse),
            fault(Operation::Get, 1, Effect::Truncate(4)),
            fault(Operation::Get, 3, Effect::Fail),
            fault(Operation::Delete, 2, Effect::LostResponse),
            fault(Operation::List, 1, Effect::Fail),
            fault(Operation::List, 2, Effect::Delay(Duration::from_millis(1))),
        ],
    );
    store.put(&key("a"), payload()).await.unwrap();
    assert!(store.put(&key("b"), payload()).await.is_err());
    assert!(
        inner.head(&key("b")).await.is_err(),
        "what fails is not done"
    );
    assert!(store.put(&key("c"), payload()).await.is_err());
    assert_eq!(
        body(&*inner, "c").await,
        b"0123456789",
        "what is lost has been done"
    );
    assert_eq!(body(&store, "a").await, b"0123");
    assert_eq!(body(&store, "a").await, b"0123456789");
    assert!(
        store
            .get_ranges(&key("a"), std::slice::from_ref(&(0..1)))
            .await
            .is_err()
    );
    assert!(store.list(None).try_collect::<Vec<_>>().await.is_err());
    assert_eq!(
        store
            .list(None)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .len(),
        2
    );
    let both = stream::iter([Ok(key("a")), Ok(key("c"))]).boxed();
    let deleted: Vec<_> = store.delete_stream(both).collect().await;
    assert!(deleted[0].is_ok() && deleted[1].is_err());
    assert!(
        inner
            .list(None)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.fired(), 7);
}

#[tokio::test]
async fn a_lost_part_of_an_upload_fails_it() {
    let fault = Fault {
        operation: Operation::Put,
        nth: 3,
        effect: Effect::Fail,
    };
    let store = FaultyStore::new(Arc::new(InMemory::new()), [fault]);
    let mut upload = store.put_multipart(&key("a")).await.unwrap();
    upload.put_part(payload()).await.unwrap();
    assert!(upload.put_part(payload()).await.is_err());
    assert!(store.head(&key("a")).await.is_err());
}
