//! One file per command.

pub mod address;
pub mod export;
pub mod keys;
pub mod log;
pub mod new_key;
pub mod receipts;
pub mod restore;
pub mod review;
pub mod sign;
pub mod status;
pub mod trust;

use crate::cli::vault_program;
use crate::{Error, Result};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

/// Becomes `cold-vault` for a command that belongs to its own terminal; returns only when that fails.
fn become_vault(arguments: &[OsString]) -> Result<crate::output::Output> {
    let program = vault_program()?;
    let source = std::process::Command::new(&program).args(arguments).exec();
    Err(Error::Start { program, source })
}
