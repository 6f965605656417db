//! The operator's console.

fn main() -> std::process::ExitCode {
    cold_signer::main()
}
