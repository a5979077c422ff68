//! Storages, their doctor, and the scan for tables in them.

use exchange::Operation;
use exchange::page::Page;
use model::AssessmentId;
use model::dto::{
    AssessmentNew, AssessmentState, ScanReport, Storage, StorageChange, StorageDoctor, StorageNew,
    StorageReport, StorageScan,
};

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::StorageList, list).pages::<Storage>()
        .on(Operation::StorageRead, show).answers::<Storage>()
        .on(Operation::StorageCreate, create).takes::<StorageNew>().answers::<Storage>().created()
        .on(Operation::StorageUpdate, update).takes::<StorageChange>().answers::<Storage>()
        .on(Operation::StorageDoctor, doctor).takes::<StorageDoctor>().answers::<StorageReport>()
        .on(Operation::AssessmentStart, assess).takes::<AssessmentNew>().answers::<AssessmentState>()
        .on(Operation::AssessmentRead, assessment).answers::<AssessmentState>()
        .on(Operation::AssessmentList, assessments).pages::<AssessmentState>()
        .on(Operation::AssessmentShow, one_assessment).answers::<AssessmentState>()
        .on(Operation::AssessmentCancel, cancel_assessment).answers::<AssessmentState>()
        .on(Operation::StorageScan, scan).takes::<StorageScan>().answers::<ScanReport>()
}

async fn list(call: Call, Paged(page): Paged) -> Result<Page<Storage>> {
    ok(call.exchange.storages(&call.principal, &page).await?)
}

async fn show(call: Call, At(storage): At<String>) -> Result<Storage> {
    ok(call.exchange.storage(&call.principal, &storage).await?)
}

async fn create(call: Call, Body(new): Body<StorageNew>) -> Result<Storage> {
    created(call.exchange.storage_create(&call.principal, new).await?)
}

async fn update(
    call: Call,
    At(storage): At<String>,
    Body(new): Body<StorageChange>,
) -> Result<Storage> {
    ok(call
        .exchange
        .storage_update(&call.principal, &storage, new)
        .await?)
}

async fn doctor(
    call: Call,
    At(storage): At<String>,
    Body(form): Body<StorageDoctor>,
) -> Result<StorageReport> {
    ok(call
        .exchange
        .storage_doctor(&call.principal, &storage, form)
        .await?)
}

async fn scan(
    call: Call,
    At(storage): At<String>,
    Body(form): Body<StorageScan>,
) -> Result<ScanReport> {
    ok(call
        .exchange
        .storage_scan(&call.principal, &storage, form)
        .await?)
}

async fn assess(call: Call, Body(new): Body<AssessmentNew>) -> Result<AssessmentState> {
    ok(call.exchange.assessment_start(&call.principal, new).await?)
}

async fn assessment(call: Call) -> Result<AssessmentState> {
    ok(call.exchange.assessment(&call.principal).await?)
}

async fn assessments(call: Call, Paged(page): Paged) -> Result<Page<AssessmentState>> {
    ok(call.exchange.assessments(&call.principal, &page).await?)
}

async fn one_assessment(call: Call, At(id): At<AssessmentId>) -> Result<AssessmentState> {
    ok(call.exchange.assessment_of(&call.principal, id).await?)
}

async fn cancel_assessment(call: Call, At(id): At<AssessmentId>) -> Result<AssessmentState> {
    ok(call.exchange.assessment_cancel(&call.principal, id).await?)
}
