//! `gatekeeper init`: a new data folder with its ledger, and the authority that vaults pin.

use super::policy_check;
use crate::Error;
use crate::folder::{AUTHORITY, PERMIT_KEY};
use crate::ledger::Ledger;
use crate::ledger::event::{Event, EventKind, Founded};
use crate::report::Report;
use crate::signer::Signer;
use bitcoin::{BlockHash, Network};
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::identity::Namespace;
use psbt_tools::display::escape;
use psbt_tools::files::write_new;
use serde_json::json;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Makes the folder, whole or not at all. No secret is copied into it.
///
/// # Errors
/// [`Error`] when the policy is refused, the key cannot sign, the folder holds something, or a checkpoint is missing.
pub fn run(
    data: &Path,
    policy: &Path,
    permit_key: &Path,
    checkpoint: Option<(u32, BlockHash)>,
    now: u64,
) -> Result<Report, Error> {
    let file = policy_check::read(policy)?;
    refuse_without_checkpoint(file.network, checkpoint)?;
    let key_path = std::path::absolute(permit_key)
        .map_err(|source| psbt_tools::Error::Read { name: permit_key.display().to_string(), source })?;
    let signer = Signer::find(&key_path)?;
    let company = file.policy.terms().company.clone();
    let authority = Authority {
        company: company.clone(),
        permit_keys: vec![signer.public().clone()],
        policy: file.policy.clone(),
    };
    let signature = signer.sign(Namespace::Authority, &authority.to_bytes())?;
    let signed = SignedAuthority { authority, signatures: vec![signature] };
    signed.verified()?;
    let policy_id = file.policy.id();
    let founding = Event {
        at: now,
        kind: EventKind::Founded(Box::new(Founded {
            network: file.network,
            policy: file.policy,
            permit_key: signer.public().clone(),
            checkpoint,
        })),
    };
    Ledger::create(data, founding, |folder| {
        write_new(&folder.join(AUTHORITY), signed.to_armor().as_bytes(), 0o644)?;
        write_new(&folder.join(PERMIT_KEY), key_path.as_os_str().as_bytes(), 0o600)?;
        Ok::<(), Error>(())
    })?;
    let path = data.join(AUTHORITY).display().to_string();
    let shown = escape(&path);
    let id = signed.authority.id().to_string();
    let fingerprint = signer.public().fingerprint();
    Ok(Report::new(json!({
        "data": data.display().to_string(),
        "authority": path,
        "authority_id": id,
        "company": company,
        "network": file.network.to_string(),
        "policy": format!("sha256:{policy_id}"),
        "permit_key": fingerprint,
        "checkpoint": checkpoint.map(|(height, hash)| json!({ "height": height, "hash": hash.to_string() })),
    }))
    .line(format!("{company}, on {}", file.network))
    .line(format!("authority   {shown}"))
    .line(format!("            {id}"))
    .line(format!("permit key  {fingerprint}"))
    .line(format!("policy      sha256:{policy_id}"))
    .line(match checkpoint {
        Some((height, hash)) => format!("headers     from block {height}, {hash}"),
        None => "headers     from the genesis block".to_owned(),
    })
    .line("")
    .line(format!("next: at each vault, before it makes a key: cold-signer trust --authority {shown}")))
}

/// From the genesis block on, headers of the least work are good at every height: anybody mines a chain of them.
fn refuse_without_checkpoint(network: Network, checkpoint: Option<(u32, BlockHash)>) -> Result<(), Error> {
    if network != Network::Bitcoin || checkpoint.is_some() {
        return Ok(());
    }
    Err(Error::Usage {
        message: "on bitcoin the chain of headers begins at a checkpoint, and none is given".to_owned(),
        hint: "take height and hash of a block at least 2,016 deep from two independent sources, and give \
               --checkpoint HEIGHT:HASH"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    #[test]
    fn only_bitcoin_needs_a_checkpoint() {
        let checkpoint = Some((800_000, BlockHash::from_byte_array([1; 32])));
        let error = refuse_without_checkpoint(Network::Bitcoin, None).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("usage", 2));
        assert!(error.hint().unwrap().contains("two independent sources"));
        assert!(refuse_without_checkpoint(Network::Bitcoin, checkpoint).is_ok());
        assert!(refuse_without_checkpoint(Network::Regtest, None).is_ok());
    }
}
