//! The declaration `entrepot.yml`, as text inside JSON.

use exchange::Operation;
use model::dto::{
    DeclarationExport, DeclarationPlan, DeclarationReport, DeclarationText, Deployment,
    DeploymentNew,
};

use crate::answer::{Result, ok};
use crate::body::Body;
use crate::call::{Call, Filter, OfProduct};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::DeclarationValidate, validate).takes::<DeclarationText>().answers::<DeclarationReport>()
        .on(Operation::DeclarationPlan, plan).takes::<DeclarationText>().answers::<DeclarationPlan>()
        .on(Operation::DeclarationDeploy, deploy).takes::<DeploymentNew>().answers::<Deployment>()
        .on(Operation::DeclarationExport, export).answers::<DeclarationExport>().query(&["product"])
}

/// A file that is wrong is a good answer here: the report says where.
async fn validate(call: Call, Body(text): Body<DeclarationText>) -> Result<DeclarationReport> {
    ok(call
        .exchange
        .declaration_validate(&call.principal, &text.yaml)?)
}

async fn plan(call: Call, Body(text): Body<DeclarationText>) -> Result<DeclarationPlan> {
    ok(call
        .exchange
        .declaration_plan(&call.principal, &text.yaml)
        .await?)
}

async fn deploy(call: Call, Body(new): Body<DeploymentNew>) -> Result<Deployment> {
    ok(call
        .exchange
        .declaration_deploy(&call.principal, new)
        .await?)
}

async fn export(call: Call, Filter(filter): Filter<OfProduct>) -> Result<DeclarationExport> {
    ok(call
        .exchange
        .declaration_export(&call.principal, filter.product.as_deref())
        .await?)
}
