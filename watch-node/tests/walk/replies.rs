//! Replies: signatures and receipts without the PSBT, merged into the file that was built here.

use bitcoin::Psbt;
use policies::codec::Canonical;
use policies::signature::InputSignature;
use policies::wallet::ScriptKind;
use psbt_tools::display::words_of;
use psbt_tools::import::{Context, import};
use psbt_tools::reply::Reply;
use serde_json::json;

use crate::Walk;
use crate::pay::TO;
use crate::people::{SINGLE, Vault, receipt};

/// What a vault with this audit key answers to a file.
fn reply(vault: &Vault, audit: u8, file: &[u8]) -> Vec<u8> {
    let asked = import(file.to_vec(), std::slice::from_ref(&vault.wallet), &Context::default()).unwrap();
    let mut signatures = Vec::new();
    for (input, signed) in (0u32..).zip(vault.sign_psbt(file).inputs) {
        let mut push = |public_key, signature| {
            signatures.push(InputSignature { input, public_key, leaf: None, signature });
        };
        for (key, signature) in signed.partial_sigs {
            push(key.to_bytes(), signature.to_vec());
        }
        if let (Some(key), Some(signature)) = (signed.tap_internal_key, signed.tap_key_sig) {
            push(key.serialize().to_vec(), signature.to_vec());
        }
    }
    Reply::to(&asked, &signatures, &receipt(audit, &vault.spend(file))).unwrap().to_bytes()
}

fn asked(kind: ScriptKind) -> (Vault, Walk) {
    let vault = Vault::new(kind, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 --purpose rent -o a.psbt"));
    (vault, walk)
}

#[test]
fn a_reply_is_enough_for_every_kind_of_key() {
    for kind in SINGLE {
        let (vault, walk) = asked(kind);
        walk.write("a.airlock", &reply(&vault, 8, &walk.read("a.psbt")));
        let told = walk.done("submit a.airlock");
        let first = &told["submitted"][0];
        let kept = (&first["permits"], &first["receipts"], &first["ignored"], &first["replies"]);
        assert_eq!(kept, (&json!(0), &json!(1), &json!(0), &json!(1)), "{kind:?}");
        let says = &told["manifests"][0];
        assert_eq!((&says["kind"], &says["manifest"]["purpose"]), (&json!("reply"), &json!("rent")));
        assert_eq!(says["words"], words_of(&walk.read("a.airlock")));
        assert_eq!(walk.state(), "broadcast");
        let again = walk.done("submit a.airlock");
        assert_eq!(again["submitted"][0]["again"], true, "played again it is the same payment");
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.state(), "confirmed");
    }
}

#[test]
fn what_a_file_says_of_itself_comes_first() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    walk.write("a.airlock", &reply(&vault, 8, &walk.read("a.psbt")));
    let text = walk.text("submit a.airlock");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("a.airlock says: from \"vault "), "{text}");
    assert_eq!(lines[1], "a.airlock says: for \"rent\"");
    assert_eq!(lines[4], format!("a.airlock words: {}", words_of(&walk.read("a.airlock"))));
    assert!(lines[5].starts_with("P-0001 is broadcast"), "{text}");
}

#[test]
fn a_reply_goes_to_its_own_attempt_and_to_no_other() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    let first = reply(&vault, 8, &walk.read("a.psbt"));
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    walk.done("submit signed.psbt");
    walk.done("bump P-0001 --feerate 20 -o b.psbt");
    walk.write("a.airlock", &first);
    walk.write("b.airlock", &reply(&vault, 8, &walk.read("b.psbt")));
    assert_eq!(walk.done("submit a.airlock")["submitted"][0]["attempt"], 1);
    assert_eq!(walk.done("submit b.airlock")["submitted"][0]["attempt"], 2);
}

#[test]
fn a_reply_to_nothing_that_was_asked_for_here_is_refused() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    let elsewhere = Walk::funded(&vault);
    elsewhere.done(&format!("pay savings --to {TO}=0.3btc --feerate 5 -o a.psbt"));
    walk.write("unknown.airlock", &reply(&vault, 8, &elsewhere.read("a.psbt")));
    walk.refused("submit unknown.airlock", 3, "unknown-payment");
    let (stranger, theirs) = asked(ScriptKind::Tr);
    walk.write("foreign.airlock", &reply(&stranger, 8, &theirs.read("a.psbt")));
    walk.refused("submit foreign.airlock", 3, "other-wallet");
    walk.write("foreign.psbt", &theirs.read("a.psbt"));
    walk.refused("submit foreign.psbt", 3, "other-wallet");
    assert_eq!(walk.state(), "exported");
}

#[test]
fn the_receipt_of_a_strangers_vault_counts_for_nothing() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    // The signatures are the key's, whoever brings them.
    walk.write("a.airlock", &reply(&vault, 99, &walk.read("a.psbt")));
    let told = walk.done("submit a.airlock")["submitted"][0].clone();
    assert_eq!((&told["receipts"], &told["ignored"]), (&json!(0), &json!(1)));
    walk.refused("reconcile", 3, "unauthorised");
}

#[test]
fn a_file_that_was_damaged_on_its_way_is_called_so() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    let mut bytes = reply(&vault, 8, &walk.read("a.psbt"));
    let at = bytes.len() - 30;
    bytes[at] ^= 4;
    walk.write("flipped.airlock", &bytes);
    walk.refused("submit flipped.airlock", 3, "damaged");
    bytes.truncate(at);
    walk.write("cut.airlock", &bytes);
    walk.refused("submit cut.airlock", 3, "damaged");
    let mut psbt = Psbt::deserialize(&walk.read("a.psbt")).unwrap();
    psbt.outputs[0].bip32_derivation.clear();
    psbt.outputs[1].bip32_derivation.clear();
    walk.write("changed.psbt", &psbt.serialize());
    walk.refused("submit changed.psbt", 3, "damaged");
    assert_eq!(walk.state(), "exported");
}

#[test]
fn a_lost_request_is_written_again_byte_for_byte_with_what_it_says_of_itself() {
    let (_, walk) = asked(ScriptKind::Tr);
    walk.done("payments export P-0001 -o again.psbt");
    assert_eq!(walk.read("again.psbt"), walk.read("a.psbt"));
    let manifest = psbt_tools::manifest::of(&walk.read("a.psbt")).unwrap();
    assert_eq!((manifest.says.sender(), manifest.says.purpose()), ("watch-node", "rent"));
    assert_eq!(manifest.length + envelope_field(&manifest), walk.read("a.psbt").len() as u64);
}

/// What the manifest adds to the file: key and value with their compact sizes.
fn envelope_field(manifest: &psbt_tools::manifest::Manifest) -> u64 {
    let value = manifest.to_bytes().len() as u64;
    let key = 1 + 1 + 7 + 1 + 32;
    1 + key + if value < 0xfd { 1 } else { 3 } + value
}
