//! `entrepot`; see [`server::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // The graph holds two providers of cryptography; without a choice the first TLS connection would panic.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return ExitCode::FAILURE;
    }
    server::cli::main(std::env::args_os())
}
