//! The built programs, found beside the test's own executable.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The path of a program of this workspace, of the same profile as the running test.
///
/// # Panics
/// When it is not built: `cargo build --bins` builds all of them, and `tests/run` does.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("tests run below target/PROFILE/deps");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not built: run `cargo build --bins` first", path.display());
    path
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is below the root").to_owned()
}

/// Runs a command to its end, without a terminal.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command.stdin(std::process::Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Whether a tool is on the machine; when not, the skip is said, so that it is counted.
pub fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("-V").output().is_ok();
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}
