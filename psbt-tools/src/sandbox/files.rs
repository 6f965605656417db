//! Landlock: no path of any file system can be opened, no TCP port reached, no other process signalled.

use super::{SandboxError, failed};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};

const CONTROL: &str = "landlock";

/// Denies every path. The rights of ABI 1 (Linux 5.13) are a hard requirement. TCP and scopes are added where the
/// kernel knows them; where it does not, the filter on system calls denies sockets and signals by itself.
///
/// # Errors
/// [`SandboxError`] where the kernel lacks Landlock or has it switched off.
pub fn confine_files() -> Result<(), SandboxError> {
    match restrict().map_err(failed(CONTROL))? {
        RulesetStatus::NotEnforced => {
            Err(SandboxError { control: CONTROL, reason: "the kernel does not enforce it".to_owned() })
        }
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn restrict() -> Result<RulesetStatus, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V4))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}
