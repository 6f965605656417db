//! Landlock: no path of any file system can be opened, and no TCP port, abstract socket or foreign
//! process reached. Descriptors opened before keep working.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};

use super::{Control, on};
use crate::Error;

const NAME: &str = "landlock";

/// Denies every path. The rights of ABI 1 (Linux 5.13) are a hard requirement; later ones (truncation,
/// device ioctls, TCP, scopes) are added where the kernel knows them.
///
/// # Errors
/// [`Error::Control`] where the kernel lacks Landlock or has it switched off.
pub fn confine_files() -> Result<Control, Error> {
    let refused = |reason: String| Error::Control { control: NAME, reason };
    let status = restrict().map_err(|error| refused(error.to_string()))?;
    if status == RulesetStatus::NotEnforced {
        return Err(refused("the kernel does not enforce it".to_owned()));
    }
    Ok(on(NAME))
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
