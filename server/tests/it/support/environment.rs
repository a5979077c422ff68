//! What the tests' surroundings give.

/// The value of a `TEST_…` variable that a test cannot do without. `None` in a quick run (`TEST_QUICK`), which says what it
/// leaves out; in any other run its absence fails the test, by name.
pub(crate) fn wanted(name: &str) -> Option<String> {
    if let Ok(value) = std::env::var(name) {
        return Some(value);
    }
    assert!(
        std::env::var_os("TEST_QUICK").is_some(),
        "{name} is not set: run `cargo xtask test`, or `cargo xtask services` and export what it prints"
    );
    println!("quick: not run without {name}");
    None
}

/// Whether this is a quick run, which does without `what` too, and says so.
pub(crate) fn quick_without(what: &str) -> bool {
    let quick = std::env::var_os("TEST_QUICK").is_some();
    if quick {
        println!("quick: not run: {what}");
    }
    quick
}

/// The graph holds two providers of cryptography; without a choice a client of HTTP cannot be built.
pub(crate) fn install_crypto() {
    // Chosen already by another test of this process: the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
