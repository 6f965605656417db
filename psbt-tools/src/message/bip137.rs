//! BIP137: the key is recovered from the signature, and must make the address.

use super::script::{Fault, broken, unknown};
use bitcoin::secp256k1;
use bitcoin::secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use bitcoin::{PublicKey, Script};
use policies::message::Message;
use policies::message::bip137::{KeyAddress, SIGNATURE_LEN, digest};
use policies::wallet::secp;

/// Verifies a signature. The header byte must name the address's kind; a high S is no fault here, because BIP137
/// and Bitcoin Core accept it.
pub(super) fn verify(message: &Message, address: &Script, bytes: &[u8; SIGNATURE_LEN]) -> Result<(), Fault> {
    let [header, compact @ ..] = bytes;
    let Some((kind, recovery_id)) = KeyAddress::from_header(*header) else {
        return broken(format!("the signature's header is {header}, expected 27 to 42"));
    };
    let Some(expected) = KeyAddress::of_script(address) else {
        return unknown("BIP137 has no rules for this kind of address: it is signed by BIP322");
    };
    let kind_of_script = if kind.is_compressed() { kind } else { KeyAddress::P2pkh };
    if kind_of_script != expected {
        return broken(format!("the signature's header {header} is of another kind of address"));
    }
    let signature = RecoveryId::from_i32(i32::from(recovery_id))
        .and_then(|recovery_id| RecoverableSignature::from_compact(compact, recovery_id));
    let digest = secp256k1::Message::from_digest(digest(message));
    let recovered = signature.and_then(|signature| secp().recover_ecdsa(&digest, &signature));
    let Ok(inner) = recovered else { return broken("no key can have made this signature") };
    let key = PublicKey { compressed: kind.is_compressed(), inner };
    match kind.script(&key) {
        Some(script) if script.as_script() == address => Ok(()),
        _ => broken("it is a signature of another message or by another address"),
    }
}
