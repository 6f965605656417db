//! `watch-node`: see `watch_node::cli` for the commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    watch_node::cli::main()
}
