//! `shell`

use crate::cli::Global;
use crate::{Result, shell};

/// A session of several commands: the passphrase is asked once, and a session reads like a checklist.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer shell\n\
Example: printf 'status\\nkeys\\n' | cold-signer shell --passphrase-file F\n\n\
At a terminal the exit code is 0. Lines from elsewhere are a script: it ends at the first that fails, with its exit \
code. The vault is locked after ten minutes without a command.")]
pub struct Args {}

/// Runs it; gives the exit code.
pub fn run(global: &Global, _args: &Args) -> Result<u8> {
    shell::run(global)
}
