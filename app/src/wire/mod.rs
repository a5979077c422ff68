//! How pages reach the server functions: in the same process while the server renders, by a request from the browser.
//!
//! One kind of resource and one kind of action for all of them. What the functions answer travels as JSON and becomes a type
//! at the last moment: Leptos' own resources and actions are compiled anew for each type, and weigh more than the pages.

pub mod reader;

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::Done;
use crate::components::load::Failed;
use crate::components::load::Loading;
use crate::error::AppError;

/// JSON of the answer, or why there is none. Empty: nothing was asked.
type Answer = Result<String, AppError>;
type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One call: which function, and its arguments as JSON. Without arguments it is not made.
#[derive(Clone, PartialEq)]
struct Call {
    path: &'static str,
    arguments: Option<String>,
}

/// What a server function answers, now or later, and again whenever its arguments change.
pub struct Loaded<T> {
    resource: Resource<Answer>,
    answers: PhantomData<fn() -> T>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

/// Calls the function with the arguments that `arguments` makes.
///
/// Belongs at the beginning of a page's component, never inside what [`Loaded::show`] draws: the server may draw that more
/// than once, and the browser, which counts resources, would not find its own again.
pub fn load<F>(arguments: impl Fn() -> F + Send + Sync + 'static) -> Loaded<F::Output>
where
    F: ServerFn<Error = AppError> + Serialize + DeserializeOwned + Send,
    F::Output: Serialize + Send,
{
    load_if(move || Some(arguments()))
}

/// The same, only while there are arguments: what a part of a page needs that is not always shown.
pub fn load_if<F>(arguments: impl Fn() -> Option<F> + Send + Sync + 'static) -> Loaded<F::Output>
where
    F: ServerFn<Error = AppError> + Serialize + DeserializeOwned + Send,
    F::Output: Serialize + Send,
{
    let call = move || Call {
        path: F::PATH,
        // Arguments are texts, numbers and choices: they always have a JSON form.
        arguments: arguments().and_then(|arguments| serde_json::to_string(&arguments).ok()),
    };
    Loaded {
        resource: resource(Box::new(call), ask::<F>),
        answers: PhantomData,
    }
}

fn resource(
    call: Box<dyn Fn() -> Call + Send + Sync>,
    ask: fn(&'static str, String) -> Asked,
) -> Resource<Answer> {
    Resource::new(call, move |call| -> Asked {
        match call.arguments {
            Some(arguments) => ask(call.path, arguments),
            None => Box::pin(std::future::ready(Ok(String::new()))),
        }
    })
}

impl<T: DeserializeOwned + 'static> Loaded<T> {
    /// What it answered last; None while nothing has come yet. To be read below a `Transition`.
    pub fn get(self) -> Option<Result<T, AppError>> {
        match self.resource.get()? {
            Ok(text) if text.is_empty() => None,
            Ok(text) => Some(parse(&text)),
            Err(error) => Some(Err(error)),
        }
    }

    pub fn refetch(self) {
        self.resource.refetch();
    }

    /// The answer as `view` draws it; until then that it is loading, or why it failed.
    pub fn show(self, view: impl Fn(T) -> AnyView + Send + Sync + 'static) -> AnyView {
        shown(self.resource, Arc::new(move |text| parse(text).map(&view)))
    }
}

type Drawn = Arc<dyn Fn(&str) -> Result<AnyView, AppError> + Send + Sync>;

fn shown(resource: Resource<Answer>, draw: Drawn) -> AnyView {
    // Read at once and not awaited: then the browser finds every part of the page in its place. The same answer again draws
    // nothing anew, so that nobody is disturbed who fills in a form.
    let drawn = move || {
        let answer = Memo::new(move |_| resource.get());
        let draw = Arc::clone(&draw);
        move || match answer.get() {
            None => ().into_any(),
            Some(Ok(text)) if text.is_empty() => ().into_any(),
            Some(answer) => match answer.and_then(|text| draw(&text)) {
                Ok(view) => view,
                Err(error) => view! { <Failed error/> }.into_any(),
            },
        }
    };
    view! { <Transition fallback=Loading>{drawn}</Transition> }.into_any()
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, AppError> {
    reader::read(text).map_err(|_| AppError::Internal { request_id: None })
}

/// The server function that a form is sent to.
pub fn form<F: ServerFn<Output = Done, Error = AppError>>() -> &'static str {
    F::PATH
}

/// Sends a form's fields as a browser encodes them.
pub(crate) fn send() -> Action<(&'static str, String), Result<Done, AppError>> {
    Action::new(|(path, fields): &(&'static str, String)| {
        let answer = post(path, "application/x-www-form-urlencoded", fields.clone());
        async move { answer.await.and_then(|text| parse(&text)) }
    })
}

#[cfg(feature = "ssr")]
fn ask<F>(_path: &'static str, arguments: String) -> Asked
where
    F: ServerFn<Error = AppError> + DeserializeOwned + Send,
    F::Output: Serialize + Send,
{
    Box::pin(async move {
        let arguments: F = parse(&arguments)?;
        let output = arguments.run_body().await?;
        serde_json::to_string(&output).map_err(|_| AppError::Internal { request_id: None })
    })
}

#[cfg(not(feature = "ssr"))]
fn ask<F>(path: &'static str, arguments: String) -> Asked {
    post(path, "application/json", arguments)
}

/// Nothing is sent while the server renders.
#[cfg(feature = "ssr")]
fn post(_path: &'static str, _kind: &'static str, _body: String) -> Asked {
    Box::pin(async { Err(AppError::Internal { request_id: None }) })
}

#[cfg(not(feature = "ssr"))]
fn post(path: &'static str, kind: &'static str, body: String) -> Asked {
    use leptos::server_fn::client::Client;
    use leptos::server_fn::client::browser::BrowserClient;
    use leptos::server_fn::request::ClientReq;
    use leptos::server_fn::response::ClientRes;

    type Browser = <BrowserClient as Client<AppError>>::Request;
    Box::pin(async move {
        let request =
            <Browser as ClientReq<AppError>>::try_new_post(path, kind, "application/json", body)?;
        let response = <BrowserClient as Client<AppError>>::send(request).await?;
        let status = ClientRes::<AppError>::status(&response);
        let text: String = ClientRes::<AppError>::try_into_string(response).await?;
        if (200..300).contains(&status) {
            Ok(text)
        } else {
            // What is no answer of a function came from something between.
            Err(parse(&text).unwrap_or_else(|error| error))
        }
    })
}
