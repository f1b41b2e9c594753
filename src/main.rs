//! The `snug` program. All of it is in the library; see `snug::cli`.

fn main() -> std::process::ExitCode {
    snug::cli::main()
}
