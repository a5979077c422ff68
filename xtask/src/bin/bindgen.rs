//! Turns the browser crate's wasm into what a page loads: `bindgen INPUT.wasm OUT_DIR NAME [--debug]`.
//!
//! It links wasm-bindgen at the very version the lock file gives the browser crate: another version is refused by
//! wasm-bindgen itself, and installing its command line takes several times longer than this.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

/// Compiled again in another checkout: see `.cargo/config.toml`.
const _: Option<&str> = option_env!("ENTREPOT_CHECKOUT");

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, out_dir, name, debug) = match arguments.as_slice() {
        [input, out_dir, name] => (input, Path::new(out_dir), name, false),
        [input, out_dir, name, flag] if flag == "--debug" => {
            (input, Path::new(out_dir), name, true)
        }
        _ => bail!("usage: bindgen INPUT.wasm OUT_DIR NAME [--debug]"),
    };
    Bindgen::new()
        .input_path(input)
        .out_name(name)
        .web(true)?
        .typescript(false)
        .debug(debug)
        .keep_debug(debug)
        .remove_name_section(!debug)
        .remove_producers_section(!debug)
        .omit_default_module_path(false)
        .generate(out_dir)
        .with_context(|| format!("generate the bindings of {input}"))?;

    // Leptos asks for `NAME.wasm`; wasm-bindgen writes `NAME_bg.wasm` and names it in the script.
    let generated = format!("{name}_bg.wasm");
    let wanted = format!("{name}.wasm");
    std::fs::rename(out_dir.join(&generated), out_dir.join(&wanted))
        .with_context(|| format!("rename {generated}"))?;
    let script = out_dir.join(format!("{name}.js"));
    let text =
        std::fs::read_to_string(&script).with_context(|| format!("read {}", script.display()))?;
    std::fs::write(&script, text.replace(&generated, &wanted))
        .with_context(|| format!("write {}", script.display()))
}
