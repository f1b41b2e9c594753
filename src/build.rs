//! The build script: leaves the unwind tables out of an optimised binary, where that can be.
//!
//! A panic aborts (`panic = "abort"`), so nothing ever unwinds, and the binary is stripped, so a
//! backtrace would name nothing. The tables are a tenth of its size all the same: the compiler writes
//! them for std's own code, and only the linker can leave them out. A profile with debug information keeps
//! them for debuggers.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Takes effect beside the linker's own layout, which `INSERT` keeps.
const SCRIPT: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table .gcc_except_table.*) } } \
                      INSERT AFTER .rodata;\n";

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let is_release = is("PROFILE", "release") && is("DEBUG", "false");
    let is_known = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !is_release || !is_known {
        return;
    }
    let Some(args) = arguments() else { return };
    for arg in args {
        println!("cargo::rustc-link-arg-bin=snug={arg}");
    }
}

/// What to tell the linker; nothing, if a program that is linked so cannot be shown to run. Not every linker knows such
/// scripts, start files of static builds may refer to the tables, and what is built for another machine cannot be tried.
fn arguments() -> Option<[String; 2]> {
    let (host, target) = (env::var("HOST").ok()?, env::var("TARGET").ok()?);
    if host != target {
        return None;
    }
    let folder = env::var("OUT_DIR").ok()?;
    let in_folder = |name| Path::new(&folder).join(name);
    let (script, source, program) = (
        in_folder("no-unwind-tables.ld"),
        in_folder("probe.rs"),
        in_folder("probe"),
    );
    fs::write(&script, SCRIPT).ok()?;
    fs::write(&source, "fn main() {}").ok()?;
    let args = [
        "-Wl,--no-eh-frame-hdr".to_owned(),
        format!("-T{}", script.display()),
    ];
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let linker = env::var("RUSTC_LINKER").map(|linker| format!("-Clinker={linker}"));
    let mut rustc = Command::new(env::var_os("RUSTC")?);
    rustc.args(["-Cpanic=abort", "--target", &target]);
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc.args(linker);
    rustc.args(args.iter().map(|arg| format!("-Clink-arg={arg}")));
    rustc.arg("-o").arg(&program).arg(&source);
    let succeeds = |command: &mut Command| {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    (succeeds(&mut rustc) && succeeds(&mut Command::new(&program))).then_some(args)
}
