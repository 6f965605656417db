//! `doctor`

use crate::cli::{Global, console_program};
use crate::doctor::{self, Finding, Patient};
use crate::output::Output;
use crate::vault::now;
use crate::{Error, Result};

/// Memory of the key derivation of a new store, in KiB: as the vault has it by default, and at its floor.
const KDF_KIB: [u64; 2] = [1 << 20, 1 << 18];

/// Look whether this machine is fit to hold keys, and say how to mend it; needs no passphrase.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer doctor\n\nExit code 0: fit; 3: something is in the way.")]
pub struct Args {}

/// Runs it.
pub fn run(global: &Global, _args: &Args) -> Result<Output> {
    let findings = findings(global)?;
    let mut output = Output::done(doctor::text(&findings), doctor::to_json(&findings));
    output.error = Some(doctor::in_the_way(&findings)).filter(|bad| !bad.is_empty()).map(Error::Unfit);
    Ok(output)
}

/// Every check of this machine.
///
/// # Errors
/// [`Error::NoHome`], [`Error::Start`].
pub fn findings(global: &Global) -> Result<Vec<Finding>> {
    let [usual, floor] = KDF_KIB;
    let patient = Patient {
        root: "/".into(),
        store: global.store()?,
        console: console_program()?,
        kdf_kib: if global.has_kdf_floor() { floor } else { usual },
        allow_network: global.allows_network(),
        now: now(),
    };
    Ok(patient.examine())
}
