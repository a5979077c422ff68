//! An endpoint: a line of [`exchange::operation::TABLE`], its handler, and what goes in and comes out. Method and path are the
//! table's, so that they cannot differ from it.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use exchange::operation::Who;
use exchange::{Exchange, Operation};
use serde::de::DeserializeOwned;

use crate::schema::{self, Schema};

pub(crate) struct Endpoint {
    pub operation: Operation,
    pub method: &'static str,
    pub path: &'static str,
    pub handler: MethodRouter<Exchange>,
    pub shape: Shape,
}

/// A handler of which axum need not know what it is made of: what axum wraps around one is compiled once then, not for each.
#[derive(Clone)]
struct Erased(Arc<dyn Fn(Request, Exchange) -> Answering + Send + Sync>);

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

impl Erased {
    fn of<H, T>(handler: H) -> Self
    where
        H: Handler<T, Exchange>,
        T: 'static,
    {
        Self(Arc::new(move |request, exchange| {
            Box::pin(handler.clone().call(request, exchange))
        }))
    }
}

impl Handler<(), Exchange> for Erased {
    type Future = Answering;

    fn call(self, request: Request, exchange: Exchange) -> Answering {
        (self.0)(request, exchange)
    }
}

/// What an endpoint takes and answers, for the guard and for the OpenAPI document. Schemas are asked for when a document is
/// made: asking serde about all types takes longer than all else that a start does.
#[derive(Default)]
pub(crate) struct Shape {
    pub body: Option<fn() -> Schema>,
    /// None: 204.
    pub answer: Option<fn() -> Schema>,
    pub creates: bool,
    pub query: Vec<&'static str>,
    /// Whether the answer also comes as CSV.
    pub has_csv: bool,
    /// Whether the answer holds a secret that is shown once, and so is never kept.
    pub is_secret: bool,
}

/// What the guard needs to know of an endpoint.
#[derive(Clone)]
pub(crate) struct Rules {
    /// Whether nobody in particular may call it too; else nobody is turned away before the body is read.
    pub is_open: bool,
    pub query: Vec<&'static str>,
    pub is_secret: bool,
}

impl Rules {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self {
            is_open: endpoint.operation.line().who.contains(&Who::Anyone),
            query: endpoint.shape.query.clone(),
            is_secret: endpoint.shape.is_secret,
        }
    }
}

/// The endpoints of an area, in reading order. `on` adds one; what follows it describes it.
#[derive(Default)]
pub(crate) struct Endpoints(pub Vec<Endpoint>);

impl Endpoints {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn on<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Exchange>,
        T: 'static,
    {
        // An operation without a REST door has no endpoint; the test of the table says so by name.
        let Some((method, path)) = operation.line().rest else {
            return self;
        };
        let filter = match method {
            "GET" => MethodFilter::GET,
            "POST" => MethodFilter::POST,
            "PUT" => MethodFilter::PUT,
            "PATCH" => MethodFilter::PATCH,
            _ => MethodFilter::DELETE,
        };
        self.0.push(Endpoint {
            operation,
            method,
            path,
            handler: MethodRouter::new().on(filter, Erased::of(handler)),
            shape: Shape::default(),
        });
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Shape)) -> Self {
        if let Some(endpoint) = self.0.last_mut() {
            change(&mut endpoint.shape);
        }
        self
    }

    /// The body is a `T`.
    pub(crate) fn takes<T: DeserializeOwned>(self) -> Self {
        self.reads(schema::of::<T>)
    }

    /// The body is what `schema` says.
    pub(crate) fn reads(self, schema: fn() -> Schema) -> Self {
        self.last(|shape| shape.body = Some(schema))
    }

    /// Answers 200 with a `T`.
    pub(crate) fn answers<T: DeserializeOwned>(self) -> Self {
        self.shows(schema::of::<T>)
    }

    /// Answers 200 with what `schema` says: for types that serde cannot be asked about.
    pub(crate) fn shows(self, schema: fn() -> Schema) -> Self {
        self.last(|shape| shape.answer = Some(schema))
    }

    /// Answers 201 instead of 200.
    pub(crate) fn created(self) -> Self {
        self.last(|shape| shape.creates = true)
    }

    /// Answers a page of `T`, and takes `after` and `limit`.
    pub(crate) fn pages<T: DeserializeOwned>(self) -> Self {
        self.shows(schema::page_of::<T>).query(&["after", "limit"])
    }

    /// Takes these query parameters too.
    pub(crate) fn query(self, names: &[&'static str]) -> Self {
        self.last(|shape| shape.query.extend(names))
    }

    /// Answers CSV too, where the caller accepts that or says `format=csv`.
    pub(crate) fn csv(self) -> Self {
        self.last(|shape| shape.has_csv = true)
    }

    /// The answer is shown once and never kept.
    pub(crate) fn secret(self) -> Self {
        self.last(|shape| shape.is_secret = true)
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}
