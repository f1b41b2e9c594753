//! The build script: has the linker leave out of an optimised binary what it never uses, where that can be.
//!
//! A panic aborts (`panic = "abort"`), so nothing ever unwinds, and the binary is stripped, so a
//! backtrace would name nothing. The unwind tables are a tenth of its size all the same: the compiler writes
//! them for std's own code, and only the linker can leave them out. And functions that come to the same machine
//! code need only be there once. The small profile packs its relocations. A profile with debug information keeps
//! everything for debuggers.

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
    for arg in arguments().unwrap_or_default() {
        println!("cargo::rustc-link-arg-bin=snug={arg}");
    }
}

/// What to tell the linker: that with which a program is linked that can be shown to run. Not every linker knows such
/// scripts and options, start files of static builds may refer to the tables, and what is built for another machine cannot
/// be tried.
fn arguments() -> Option<Vec<String>> {
    let (host, target) = (env::var("HOST").ok()?, env::var("TARGET").ok()?);
    if host != target {
        return None;
    }
    let compiler = env::var_os("RUSTC")?;
    let folder = env::var("OUT_DIR").ok()?;
    let in_folder = |name| Path::new(&folder).join(name);
    let (script, source, program) = (
        in_folder("no-unwind-tables.ld"),
        in_folder("probe.rs"),
        in_folder("probe"),
    );
    fs::write(&script, SCRIPT).ok()?;
    fs::write(&source, "fn main() {}").ok()?;
    let runs_with = |args: &[String]| {
        let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
        let linker = env::var("RUSTC_LINKER").map(|linker| format!("-Clinker={linker}"));
        let mut rustc = Command::new(&compiler);
        rustc.args(["-Cpanic=abort", "--target", &target]);
        rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
        rustc.args(linker);
        rustc.args(args.iter().map(|arg| format!("-Clink-arg={arg}")));
        rustc.arg("-o").arg(&program).arg(&source);
        succeeds(&mut rustc) && succeeds(&mut Command::new(&program))
    };
    let without_tables = [
        "-Wl,--no-eh-frame-hdr".to_owned(),
        format!("-T{}", script.display()),
    ];
    let folded = ["-Wl,--icf=all".to_owned()];
    // Where each address of the program that moves with it is in a short list takes a sixth of the usual one. Systems
    // before 2022 do not know that form: only who asks for the smallest program gets it.
    let is_small = env::var("OPT_LEVEL").is_ok_and(|level| level == "z");
    let packed = ["-Wl,-z,pack-relative-relocs".to_owned()];
    let mut args = Vec::new();
    for more in [
        &without_tables[..],
        &folded,
        if is_small { &packed } else { &[] },
    ] {
        let with_more = [&args, more].concat();
        if runs_with(&with_more) {
            args = with_more;
        }
    }
    Some(args)
}

fn succeeds(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
