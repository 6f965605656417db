//! `log`

use super::become_vault;
use crate::Result;
use crate::cli::Global;

/// List the store's records; needs no passphrase.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer log --verify")]
pub struct Args {
    /// Verify every record's hash and place in the chain.
    #[arg(long)]
    verify: bool,
}

/// Runs it; gives the vault's exit code.
pub fn run(global: &Global, args: &Args) -> Result<u8> {
    let mut arguments = vec!["log".into(), "--store".into(), global.store()?.into_os_string()];
    for (flag, given) in [("--verify", args.verify), ("--json", global.json)] {
        if given {
            arguments.push(flag.into());
        }
    }
    become_vault(global, &arguments)
}
