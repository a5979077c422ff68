//! What a request passes through before a page or an operation sees it, from the outside in: [`observe`] (request id, trace,
//! metrics), panics caught, time limited, body limited, security [`headers`], [`csrf`], sessions, [`principal`].

pub mod client;
pub mod csrf;
pub mod guesses;
pub mod headers;
pub mod limiter;
pub mod observe;
pub mod principal;
