//! The build script: leaves the unwind tables out of an optimised binary for Linux.
//!
//! A panic aborts (`panic = "abort"`), so nothing ever unwinds, and the binary is stripped, so a
//! backtrace would name nothing. The tables are a tenth of its size all the same: the compiler writes
//! them for std's own code, and only the linker can leave them out. A build with debug information keeps
//! them for debuggers; a linker of one's own choice may not know linker scripts, and is given none.

use std::{env, fs, io, path::Path};

/// Takes effect beside the linker's own layout, which `INSERT` keeps.
const SCRIPT: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table .gcc_except_table.*) } } \
                      INSERT AFTER .rodata;\n";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let linker_chosen = env::var_os("RUSTC_LINKER").is_some() || flags.contains("link");
    if !is("PROFILE", "release")
        || !is("DEBUG", "false")
        || !is("CARGO_CFG_TARGET_OS", "linux")
        || linker_chosen
    {
        return Ok(());
    }
    let folder = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let script = Path::new(&folder).join("no-unwind-tables.ld");
    fs::write(&script, SCRIPT)?;
    println!("cargo::rustc-link-arg-bin=snug=-Wl,--no-eh-frame-hdr");
    println!("cargo::rustc-link-arg-bin=snug=-Wl,-T,{}", script.display());
    Ok(())
}
