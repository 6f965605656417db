//! Findings and reviews as JSON.

use crate::screens::Shown;
use bitcoin::{Address, Amount, Network, Weight};
use cold_wire::{KeyInfo, Voucher};
use policies::check::{Finding, Outcome, verdict};
use policies::examine::key_name;
use policies::id::VaultId;
use policies::identity::{PublicKey, SshSig};
use policies::request::{Recipient, payment_number};
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::display::{hash_words, hex};
use psbt_tools::manifest::Manifest;
use psbt_tools::money::Feerate;
use serde_json::{Value, json};

/// `clean`, `ask` or `refuse`.
pub fn verdict_word(findings: &[Finding]) -> &'static str {
    match verdict(findings) {
        Outcome::Refuse => "refuse",
        Outcome::Ask => "ask",
        Outcome::Pass | Outcome::NotApplicable => "clean",
    }
}

/// `[{"id", "outcome", "message", "hint"?}]`.
pub fn checks_json(findings: &[Finding]) -> Value {
    findings
        .iter()
        .map(|finding| {
            let mut object = json!({
                "id": finding.code.to_string(),
                "outcome": finding.outcome.as_str(),
                "message": finding.message,
            });
            if let (Some(object), Some(hint)) = (object.as_object_mut(), &finding.hint) {
                object.insert("hint".to_owned(), json!(hint));
            }
            object
        })
        .collect()
}

/// What `review --json` prints.
pub fn review_json(shown: &Shown<'_>) -> Value {
    let review = shown.review;
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.map(Amount::to_sat).sum::<u64>();
    let external = sum(&mut review.recipients.iter().map(|recipient| recipient.amount));
    let change = sum(&mut review.change.iter().map(|change| change.recipient.amount));
    let feerate = Feerate::of(review.fee, Weight::from_wu(review.vsize.saturating_mul(4)));
    json!({
        "verdict": verdict_word(&review.findings),
        "file": shown.file,
        "manifest": shown.manifest.map(Manifest::to_json),
        "sha256": hex(&shown.sha256),
        "words": hash_words(&shown.sha256),
        "spend_id": review.spend.to_string(),
        "unsigned_txid": review.unsigned_txid.to_string(),
        "wallet": review.wallet,
        "network": review.network.to_string(),
        "inputs": review.inputs,
        "input_sat": review.input_sum.to_sat(),
        "recipients": review.recipients.iter().map(|to| recipient_json(to, review.network)).collect::<Value>(),
        "external_sat": external,
        "change_sat": change,
        "change": review.change.iter().map(|change| {
            let mut object = recipient_json(&change.recipient, review.network);
            if let Some(object) = object.as_object_mut() {
                object.insert("path".to_owned(), json!(change.keypath.to_string()));
            }
            object
        }).collect::<Value>(),
        "fee_sat": review.fee.to_sat(),
        "feerate_sat_per_vb": feerate.map(Feerate::to_json),
        "vsize": review.vsize,
        "checks": checks_json(&review.findings),
        "permit": review.voucher.as_ref().map(permit_json),
        "approvals": review.approvals.iter().map(|approval| json!({
            "by": approval.by,
            "fingerprint": approval.fingerprint,
        })).collect::<Value>(),
        "replaces": review.replaces.iter().map(|replaced| json!({
            "spend_id": replaced.spend.to_string(),
            "fee_sat": replaced.fee.to_sat(),
        })).collect::<Value>(),
        "authority": review.authority,
        "limits": review.limits,
        "path": review.path,
        "timing": review.timing,
        "signed_before": review.signed_before,
        "live_network": shown.live_network,
    })
}

/// What `export --json` prints, and what gatekeeper and watch-node import: everything of
/// [`policies::wallet::export_text`]. The birthday of a restored key is unknown and left out.
pub fn export_json(key: &KeyInfo, vault: VaultId, audit_key: &PublicKey) -> Value {
    let mut object = json!({
        "wallet": key.wallet,
        "network": key.network.to_string(),
        "script": key.kind.as_str(),
        "fingerprint": hex(&key.fingerprint),
        "key": key.key,
        "external": branch(key, 0),
        "internal": branch(key, 1),
        "authority": key.authority.as_ref().map(|(id, _)| id.to_string()),
        "vault_id": vault.to_string(),
        "audit_key": audit_key.to_string(),
        "signature": key.signature.as_ref().map(SshSig::to_armor),
    });
    if let (Some(object), false) = (object.as_object_mut(), key.restored) {
        object.insert("birthday".to_owned(), json!(key.created));
    }
    object
}

/// A key for `keys --json` and `new-key --json`.
pub fn key_json(key: &KeyInfo) -> Value {
    json!({
        "wallet": key.wallet,
        "network": key.network.to_string(),
        "script": key.kind.as_str(),
        "fingerprint": hex(&key.fingerprint),
        "key": key.key,
        "wallet_id": key.registered().map(|wallet| wallet.id().to_string()),
        "external": branch(key, 0),
        "internal": branch(key, 1),
        "created": key.created,
        "restored": key.restored,
        "backed_up": key.backed_up,
        "authority": key.authority.as_ref().map(|(id, company)| json!({"id": id.to_string(), "company": company})),
        "limit": key.limit.map(|limit| json!({
            "amount_sat": limit.amount.map(Amount::to_sat),
            "count": limit.count,
            "seconds": limit.seconds,
        })),
    })
}

/// The descriptor of a branch; null for a cosigner's key without a wallet.
fn branch(key: &KeyInfo, at: usize) -> Option<&str> {
    key.descriptors.as_ref().and_then(|pair| pair.get(at)).map(String::as_str)
}

/// What `register --json` prints.
pub fn registration_json(key: &KeyInfo, wallet: &Wallet, registered: bool) -> Value {
    let address = |branch| wallet.address(Keypath { branch, index: 0 }).map(|address| address.to_string());
    json!({
        "wallet": key.wallet,
        "network": key.network.to_string(),
        "kind": wallet.kind().as_str(),
        "wallet_id": wallet.id().to_string(),
        "words": wallet.id().words(),
        "keys": wallet.keys().iter().map(|cosigner| json!({
            "key": cosigner.to_string(),
            "fingerprint": cosigner.fingerprint.to_string(),
            "ours": cosigner.to_string() == key.key,
        })).collect::<Value>(),
        "paths": wallet.paths().iter().map(|path| path.text(&|place| key_name(wallet, place))).collect::<Value>(),
        "external": branch(key, 0),
        "internal": branch(key, 1),
        "first_address": address(Branch::External),
        "first_change": address(Branch::Internal),
        "registered": registered,
    })
}

fn recipient_json(recipient: &Recipient, network: Network) -> Value {
    let mut object =
        json!({"script_hex": hex(recipient.script.as_bytes()), "value_sat": recipient.amount.to_sat()});
    if let (Some(object), Ok(address)) =
        (object.as_object_mut(), Address::from_script(&recipient.script, network))
    {
        object.insert("address".to_owned(), json!(address.to_string()));
    }
    object
}

fn permit_json(voucher: &Voucher) -> Value {
    json!({
        "id": voucher.permit.to_string(),
        "company": voucher.company,
        "requester": voucher.requester,
        "groups": voucher.groups,
        "payment": payment_number(voucher.payment),
        "purpose": voucher.purpose,
        "sequence": voucher.sequence,
        "bitcoin_time": voucher.bitcoin_time,
        "expires": voucher.expires,
        "policy_version": voucher.policy_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::tests::permitted;
    use policies::check::Check;

    #[test]
    fn a_review_has_the_promised_keys() {
        let mut review = permitted();
        review.findings.push(Finding::ask(Check::LOCKTIME, "later"));
        let json = review_json(&Shown {
            file: "f",
            manifest: None,
            sha256: [1; 32],
            review: &review,
            live_network: &[],
        });
        assert_eq!(json["verdict"], "ask");
        assert_eq!(json["external_sat"], 1_500_000);
        assert_eq!(json["change_sat"], 98_490_000);
        assert_eq!(json["fee_sat"], 10_000);
        assert_eq!(json["feerate_sat_per_vb"].to_string(), "70.921");
        assert_eq!(json["recipients"][0]["value_sat"], 1_500_000);
        assert!(json["recipients"][0]["address"].as_str().unwrap().starts_with("bcrt1q"));
        assert_eq!(json["change"][0]["path"], "1/3");
        assert_eq!(json["checks"][2]["id"], "C20");
        assert_eq!(json["permit"]["payment"], "P-0042");
        assert_eq!(json["permit"]["bitcoin_time"], 1_795_230_000);
        assert_eq!(json["approvals"][0], json!({"by": "anna", "fingerprint": "SHA256:anna"}));
        assert_eq!(json["replaces"], json!([]));
        assert_eq!(json["timing"], json!([]));
    }
}
