//! Search and list over a thousand products, by REST.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};

use super::load::{PER_SECOND, open_loop, percentile};
use super::products::{PRODUCTS, Products, WORDS};
use super::{Figure, Limit};
use crate::http;
use crate::repo::Repo;

const SECONDS: u32 = 60;

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    let products = Products::serve(repo, &[])?;
    let seconds = open_loop(PER_SECOND * SECONDS, PER_SECOND, |number| {
        question(products.address, number, &products.token)
    })?;
    let ms = |percent| percentile(&seconds, percent) * 1e3;
    Ok(vec![
        Figure::new("p99", ms(99), "ms", Limit::AtMost(20.0)),
        Figure::new("p50", ms(50), "ms", Limit::None),
        Figure::new("worst", ms(100), "ms", Limit::None),
    ])
}

/// Words, two words, a name, a plain list, by turns.
fn question(address: SocketAddr, number: u32, token: &str) -> Result<()> {
    let number = number as usize;
    let (word, other) = (
        WORDS[number % WORDS.len()],
        WORDS[(number / 3) % WORDS.len()],
    );
    let path = match number % 4 {
        0 => format!("/api/v1/products?q={word}"),
        1 => format!("/api/v1/products?q={word}+{other}"),
        2 => format!("/api/v1/products?q=bench-{word}-{:04}", number % PRODUCTS),
        _ => "/api/v1/products".to_owned(),
    };
    let answer = http::get(address, &path, Some(token), Duration::from_secs(10))?;
    if answer.status != 200 {
        bail!("{path} answered {}: {}", answer.status, answer.body);
    }
    Ok(())
}
