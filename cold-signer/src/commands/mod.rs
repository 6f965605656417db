//! One file per command.

pub mod address;
pub mod doctor;
pub mod export;
pub mod keys;
pub mod log;
pub mod message;
pub mod new_key;
pub mod receipts;
pub mod register;
pub mod restore;
pub mod review;
pub mod shell;
pub mod sign;
pub mod start;
pub mod status;
pub mod trust;

use crate::cli::{Global, vault_program};
use crate::terminal::Before;
use crate::{Error, Result};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

/// Becomes `cold-vault` for a command that belongs to its own terminal. In a visit of several commands it is a child,
/// and the kept vault makes room for it. Gives its exit code.
fn become_vault(global: &Global, arguments: &[OsString]) -> Result<u8> {
    let program = vault_program()?;
    let mut command = Command::new(&program);
    command.args(arguments);
    let Some(keeper) = global.keeper() else {
        return Err(Error::Start { program, source: command.exec() });
    };
    keeper.lock();
    let before = Before::of();
    let ended = command.status().map_err(|source| Error::Start { program, source })?;
    if let (Some(mut before), true) = (before, ended.signal().is_some()) {
        before.restore(true);
    }
    Ok(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
