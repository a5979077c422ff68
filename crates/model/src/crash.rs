//! Crash points: named places before and after each external effect and each commit, at which a test build can be made
//! to die as by `kill -9`. A release build compiles them to nothing.
//!
//! `ENTREPOT_CRASH_AT=name` or `name#3` aborts the process at the first (third) pass through that point;
//! `ENTREPOT_CRASH_LOG=file` appends the name of each point passed, so that a loop can see which points exist and that
//! each was hit.

/// Marks a crash point. The name is `area.step.before` or `area.step.after`.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
        $crate::crash::pass($name);
    };
}

/// Called by [`crash_point!`]; dies here when the environment says so.
#[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
pub fn pass(name: &'static str) {
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static LOG: OnceLock<Option<String>> = OnceLock::new();
    static TARGET: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    if let Some(path) = LOG.get_or_init(|| std::env::var("ENTREPOT_CRASH_LOG").ok()) {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        if let Ok(mut file) = file {
            let _ = writeln!(file, "{name}");
        }
    }
    let target = TARGET.get_or_init(|| {
        let text = std::env::var("ENTREPOT_CRASH_AT").ok()?;
        match text.split_once('#') {
            Some((point, nth)) => Some((point.to_owned(), nth.parse().ok()?)),
            None => Some((text, 1)),
        }
    });
    if let Some((point, nth)) = target
        && point == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        std::process::abort();
    }
}
