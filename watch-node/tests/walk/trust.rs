//! Trust anchors: what is imported and pinned must prove itself, once and for ever.

use policies::wallet::ScriptKind;
use serde_json::{Value, json};

use crate::Walk;
use crate::people::{Vault, authority};

#[test]
fn an_export_that_was_changed_in_any_way_is_refused() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let other = Vault::new(ScriptKind::Wpkh, 9);
    let walk = Walk::empty();
    let refused = |key: &str, value: Value, code: i32, word: &str| {
        let mut export = vault.export();
        export[key] = value;
        walk.write("export.json", export.to_string().as_bytes());
        walk.refused("wallet import savings --file export.json", code, word);
    };
    refused("wallet", json!("hot"), 3, "not-authentic");
    refused("network", json!("signet"), 3, "not-authentic");
    for key in ["external", "internal", "vault_id", "audit_key", "signature"] {
        refused(key, other.export()[key].clone(), 3, "not-authentic");
    }
    refused("birthday", json!(7), 3, "not-authentic");
    refused("authority", Value::Null, 3, "not-authentic");
    refused("authority", json!(authority(6).authority.id().to_string()), 3, "not-authentic");
    refused("authority", json!("nobody"), 3, "malformed");
    refused("signature", json!("x"), 3, "malformed");
    refused("vault_id", Value::Null, 3, "malformed");
    walk.refused("wallet import savings --file missing.json", 1, "unreadable");
    assert_eq!(walk.done("wallet list")["wallets"], json!([]));

    walk.write("export.json", vault.export().to_string().as_bytes());
    let imported = walk.done("wallet import savings --file export.json");
    assert_eq!(imported["audit_key_fingerprint"], json!(crate::people::public(8).fingerprint()));
    assert_eq!(imported["vault_id"], vault.export()["vault_id"]);
}

#[test]
fn a_wallet_is_imported_once_under_one_name() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    assert_eq!(walk.done("wallet import savings --file savings.json")["imported_before"], true);
    walk.refused("wallet import other --file savings.json", 3, "wallet-exists");
    let descriptor = vault.export()["external"].as_str().unwrap().replace("/0/*", "/<0;1>/*");
    let descriptor = descriptor.split('#').next().unwrap();
    walk.refused(&format!("wallet import savings --descriptor {descriptor}"), 3, "wallet-exists");
    let main = "wpkh([73c5da0a/84h/0h/0h]xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V/<0;1>/*)";
    walk.refused(&format!("wallet import main --descriptor {main}"), 3, "descriptor");
    walk.refused("wallet import main", 2, "usage");
}

#[test]
fn an_export_of_another_network_is_refused() {
    let walk = Walk::empty();
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let mut export = vault.export();
    let text = |key: &str| export[key].as_str().unwrap().to_owned();
    let message = policies::wallet::export_text(
        bitcoin::Network::Signet,
        "savings",
        (&text("external"), &text("internal")),
        None,
        None,
    );
    let signature =
        crate::people::sign(8, policies::identity::Namespace::Export, message.as_bytes()).to_armor();
    export["network"] = json!("signet");
    export["authority"] = Value::Null;
    export["signature"] = json!(signature);
    walk.write("export.json", export.to_string().as_bytes());
    walk.refused("wallet import savings --file export.json", 3, "wrong-network");
}

#[test]
fn an_authority_is_pinned_for_ever() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let again = walk.done("trust authority.pub");
    assert_eq!((&again["pinned_before"], &again["watched"]), (&json!(true), &json!(["savings"])));
    walk.write("other.pub", authority(6).to_armor().as_bytes());
    walk.refused("trust other.pub", 3, "authority-pinned");
    assert_eq!(walk.done("trust authority.pub")["company"], "Company 5");
}

#[test]
fn a_wallet_that_obeys_another_authority_is_refused() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::empty();
    walk.write("authority.pub", authority(6).to_armor().as_bytes());
    walk.write("export.json", vault.export().to_string().as_bytes());
    walk.done("trust authority.pub");
    walk.refused("wallet import savings --file export.json", 3, "authority");
    assert_eq!(walk.done("wallet list")["wallets"], json!([]));
    // And the other way round: a wallet's authority is not replaced by another one.
    let walk = Walk::empty();
    walk.write("authority.pub", authority(6).to_armor().as_bytes());
    walk.write("export.json", vault.export().to_string().as_bytes());
    let id = authority(5).authority.id().to_string();
    assert_eq!(walk.done("wallet import savings --file export.json")["authority"], id);
    assert_eq!(walk.done("wallet list")["wallets"][0]["authority"], id);
    walk.refused("trust authority.pub", 3, "authority");
    walk.write("own.pub", authority(5).to_armor().as_bytes());
    assert_eq!(walk.done("trust own.pub")["watched"], json!(["savings"]));
}

#[test]
fn a_standalone_wallet_is_watched_with_a_loud_warning() {
    let walk = Walk::empty();
    let export = Vault::new(ScriptKind::Wpkh, 8).export_obeying(None);
    walk.write("export.json", export.to_string().as_bytes());
    walk.write("authority.pub", authority(5).to_armor().as_bytes());
    assert!(!walk.run("wallet import savings --file export.json").stderr.contains("standalone"));
    walk.done("trust authority.pub");
    let answer = walk.run("wallet import savings --file export.json");
    assert_eq!((answer.code, &answer.json()["authority"]), (0, &Value::Null));
    assert!(answer.stderr.contains("WARNING: savings is standalone"), "{}", answer.stderr);
}

#[test]
fn a_wallet_says_whom_it_obeys() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let id = authority(5).authority.id();
    for (obeyed, line) in [
        (Some(id), format!("obeys authority {id}")),
        (None, "standalone: no permit is needed by its vault".to_owned()),
    ] {
        let walk = Walk::empty();
        walk.write("export.json", vault.export_obeying(obeyed).to_string().as_bytes());
        let text = walk.text("wallet import savings --file export.json");
        assert!(text.lines().any(|said| said == line), "{text}");
    }
}

#[test]
fn an_authority_that_its_keys_did_not_sign_is_refused() {
    let walk = Walk::empty();
    let mut forged = authority(5);
    forged.authority.company.push('!');
    walk.write("forged.pub", forged.to_armor().as_bytes());
    walk.refused("trust forged.pub", 3, "not-authentic");
    walk.write("nonsense.pub", b"nonsense");
    walk.refused("trust nonsense.pub", 3, "malformed");
    walk.write("authority.pub", authority(5).to_armor().as_bytes());
    assert_eq!(walk.done("trust authority.pub")["pinned_before"], false);
}

#[test]
fn a_scan_begins_a_day_before_the_key_was_made() {
    for (birthday, height) in [(0_u64, 0), (40_000_000_000, 101)] {
        let walk = Walk::empty();
        walk.done("regtest mine 101");
        let export = Vault::new(ScriptKind::Wpkh, 8).export_born(Some(birthday), None);
        walk.write("export.json", export.to_string().as_bytes());
        assert_eq!(walk.done("wallet import savings --file export.json")["birthday"], height);
    }
    let walk = Walk::empty();
    walk.write("export.json", Vault::new(ScriptKind::Wpkh, 8).export().to_string().as_bytes());
    walk.done("regtest mine 3");
    assert_eq!(walk.done("wallet import savings --file export.json --birthday 2")["birthday"], 2);
}
