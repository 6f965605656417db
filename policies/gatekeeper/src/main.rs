//! `gatekeeper`: see the library.

fn main() -> std::process::ExitCode {
    gatekeeper::cli::main()
}
