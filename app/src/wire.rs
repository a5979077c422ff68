//! How a page waits for what it shows: the operation is asked in this process, and the page is sent once the answer is there.

use std::sync::Mutex;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::api::Done;
use crate::components::load::Failed;
use crate::components::load::Loading;
use crate::error::AppError;

/// None: nothing was asked.
type Answer<T> = Result<Option<T>, AppError>;

/// What was asked of [`crate::api`].
pub struct Loaded<T: 'static>(AsyncDerived<Answer<T>>);

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

/// Asks. Belongs at the beginning of a page's component, never inside what [`Loaded::show`] draws: that may be drawn more than
/// once.
pub fn load<T, F>(asked: F) -> Loaded<T>
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    load_if(Some(asked))
}

/// The same for what a part of a page needs that is not always shown.
pub fn load_if<T, F>(asked: Option<F>) -> Loaded<T>
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let asked = Mutex::new(asked);
    Loaded(AsyncDerived::new(move || {
        let asked = asked.lock().ok().and_then(|mut asked| asked.take());
        async move {
            match asked {
                Some(asked) => asked.await.map(Some),
                None => Ok(None),
            }
        }
    }))
}

impl<T: Clone + Send + Sync + 'static> Loaded<T> {
    /// The answer as `view` draws it, or why there is none.
    pub fn show(self, view: impl Fn(T) -> AnyView + Send + Sync + 'static) -> AnyView {
        let drawn = move || match self.0.get() {
            None | Some(Ok(None)) => ().into_any(),
            Some(Ok(Some(answer))) => view(answer),
            Some(Err(error)) => view! { <Failed error/> }.into_any(),
        };
        view! { <Suspense fallback=Loading>{drawn}</Suspense> }.into_any()
    }
}

/// The server function that a form is sent to.
pub fn form<F: ServerFn<Output = Done, Error = AppError>>() -> &'static str {
    F::PATH
}
