//! Nothing leaves unnoticed.

use policies::codec::Canonical;
use policies::wallet::ScriptKind;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::json;
use watch_node::chain::Relay;
use watch_node::chain::embedded::Embedded;

use crate::Walk;
use crate::pay::TO;
use crate::people::{SINGLE, Vault, authority, receipt, receipt_naming, receipts_file, thief};

/// Spends the coin of the first payment with a copy of the seed, past every rule.
pub fn steal(vault: &Vault, walk: &Walk) {
    let transaction = vault.elsewhere(&walk.read("a.psbt"), 1, &[(thief(), 99_000_000)]);
    Embedded::open(&walk.path("node")).unwrap().submit(&transaction).unwrap();
}

fn paid(permit_key: Option<u8>, audit: Option<u8>) -> (Vault, Walk) {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), permit_key, audit));
    walk.done("submit signed.psbt");
    walk.done("sync");
    (vault, walk)
}

#[test]
fn a_spend_with_a_copy_of_the_seed_is_caught_before_and_after_it_confirms() {
    for kind in SINGLE {
        let vault = Vault::new(kind, 8);
        let walk = Walk::funded(&vault);
        walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
        steal(&vault, &walk);
        for _ in 0..2 {
            walk.done("sync");
            walk.refused("reconcile", 3, "unauthorised");
            let told = walk.run("reconcile").json();
            assert_eq!(told["verdict"], "unauthorised");
            assert_eq!(told["spends"][0]["verdict"], "unauthorised");
            assert_eq!(told["spends"][0]["payment"], json!(null));
            walk.done("regtest mine 1");
        }
    }
}

#[test]
fn what_was_asked_permitted_and_signed_is_clean() {
    let (vault, walk) = paid(Some(5), Some(8));
    let told = walk.done("reconcile");
    let spend = &told["spends"][0];
    assert_eq!((&told["verdict"], &spend["verdict"]), (&json!("clean"), &json!("authorised")));
    assert_eq!((&spend["permit"], &spend["receipt"]), (&json!("verified"), &json!("verified")));
    assert_eq!(spend["spend_id"], json!(vault.spend(&walk.read("a.psbt")).id().to_string()));
    // Receipts travel back: the next request shows the vault its own latest record.
    walk.done("regtest mine 1");
    walk.done("sync");
    walk.done(&format!("pay savings --to {TO}=0.1btc --feerate 5 -o b.psbt"));
    let psbt = bitcoin::Psbt::deserialize(&walk.read("b.psbt")).unwrap();
    let envelope = psbt_tools::envelope::Envelope::read(&psbt).unwrap();
    let bytes = envelope.get(psbt_tools::envelope::Kind::Request).next().unwrap();
    let request: policies::request::SignedRequest = policies::codec::Canonical::from_bytes(bytes).unwrap();
    assert_eq!(request.request.heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [7]);
}

#[test]
fn documents_of_strangers_count_for_nothing() {
    let (_, walk) = paid(Some(6), Some(9));
    walk.refused("reconcile", 3, "unauthorised");
    let told = walk.run("reconcile").json();
    assert_eq!(told["spends"][0]["payment"], "P-0001");
    assert_eq!(
        (&told["spends"][0]["permit"], &told["spends"][0]["receipt"]),
        (&json!("missing"), &json!("missing"))
    );
}

#[test]
fn a_missing_receipt_may_be_brought_and_is_unauthorised_when_the_vault_has_none() {
    let (vault, walk) = paid(Some(5), None);
    walk.refused("reconcile", 4, "incomplete");
    walk.write("none.json", receipts_file(8, &[]).to_string().as_bytes());
    walk.refused("reconcile --receipts none.json", 3, "unauthorised");
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    assert_eq!(walk.done("reconcile --receipts receipts.json")["verdict"], "clean");
    assert_eq!(walk.done("reconcile")["verdict"], "clean", "what was brought is kept");
}

#[test]
fn a_missing_permit_may_be_brought() {
    let (vault, walk) = paid(None, Some(8));
    walk.refused("reconcile", 4, "incomplete");
    walk.write("permitted.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), None));
    assert_eq!(walk.done("reconcile --permits permitted.psbt")["verdict"], "clean");
}

#[test]
fn receipts_of_a_vault_that_is_not_pinned_or_that_do_not_hold_are_refused() {
    let (vault, walk) = paid(Some(5), Some(8));
    let spend = vault.spend(&walk.read("a.psbt"));
    walk.write("other.json", receipts_file(9, &[]).to_string().as_bytes());
    walk.refused("reconcile --receipts other.json", 3, "not-authentic");
    walk.write("mixed.json", receipts_file(8, &[receipt(9, &spend)]).to_string().as_bytes());
    walk.refused("reconcile --receipts mixed.json", 3, "not-authentic");
    let mut forged = receipt(8, &spend);
    forged.statement.head.sequence = 8;
    walk.write("forged.json", receipts_file(8, &[forged]).to_string().as_bytes());
    walk.refused("reconcile --receipts forged.json", 3, "not-authentic");
    walk.write("nonsense.json", b"{}");
    walk.refused("reconcile --receipts nonsense.json", 3, "malformed");
}

/// A node with this export of the vault's wallet, one coin, and a payment in `a.psbt`; no authority is pinned.
fn asked(vault: &Vault, export: &serde_json::Value) -> Walk {
    let walk = Walk::empty();
    walk.write("authority.pub", authority(5).to_armor().as_bytes());
    walk.write("export.json", export.to_string().as_bytes());
    walk.done("wallet import treasury --file export.json");
    walk.done("regtest mine 101");
    let address = walk.done("address treasury")["address"].as_str().unwrap().to_owned();
    walk.done(&format!("regtest fund {address} 1btc"));
    walk.done("regtest mine 1");
    walk.done("sync");
    walk.done(&format!("pay treasury --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    assert_eq!(vault.spend(&walk.read("a.psbt")).wallet(), vault.wallet.id());
    walk
}

fn verdicts(told: &serde_json::Value) -> Vec<&str> {
    told["spends"].as_array().unwrap().iter().map(|spend| spend["verdict"].as_str().unwrap()).collect()
}

#[test]
fn a_receipt_without_its_transaction_is_shown() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    walk.write("permitted.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), None));
    let told = walk.done("reconcile --receipts receipts.json --permits permitted.psbt");
    assert_eq!(told["verdict"], "clean");
    assert_eq!(verdicts(&told), ["signed-not-broadcast"]);
    assert_eq!(told["spends"][0]["payment"], "P-0001");
    assert_eq!(walk.state(), "signed");
}

#[test]
fn a_receipt_for_what_nobody_here_asked_for_is_unauthorised_before_it_is_broadcast() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    for obeyed in [Some(authority(5).authority.id()), None] {
        let elsewhere = asked(&vault, &vault.export_obeying(obeyed));
        let spend = vault.spend(&elsewhere.read("a.psbt"));
        let walk = Walk::empty();
        walk.write("authority.pub", authority(5).to_armor().as_bytes());
        walk.done("trust authority.pub");
        walk.write("export.json", vault.export_obeying(obeyed).to_string().as_bytes());
        walk.done("wallet import savings --file export.json");
        walk.write("receipts.json", receipts_file(8, &[receipt(8, &spend)]).to_string().as_bytes());
        walk.refused("reconcile --receipts receipts.json", 3, "unauthorised");
        assert_eq!(verdicts(&walk.run("reconcile").json()), ["unauthorised"], "what was brought is kept");
    }
}

#[test]
fn a_receipt_that_names_a_permit_is_incomplete_until_the_signed_file_brings_it() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    walk.refused("reconcile --receipts receipts.json", 4, "incomplete");
    let answer = walk.run("reconcile");
    assert!(answer.stderr.contains("hint: `watch-node submit F` the files that came back signed"));
    let told = answer.json();
    assert_eq!((&told["spends"][0]["permit"], verdicts(&told)), (&json!("missing"), vec!["incomplete"]));
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    walk.done("submit signed.psbt");
    assert_eq!(walk.done("reconcile --receipts receipts.json")["verdict"], "clean");
}

#[test]
fn a_receipt_that_names_no_permit_or_another_one_is_unauthorised_before_it_is_broadcast() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    for (named, permit) in [(None, None), (Some(policies::id::PermitId::of(b"another permit")), Some(5))] {
        let walk = Walk::funded(&vault);
        walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
        let file = walk.read("a.psbt");
        walk.write("permitted.psbt", &vault.answer(&file, permit, None));
        let receipt = receipt_naming(named, 8, &vault.spend(&file));
        walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
        let line = "reconcile --receipts receipts.json --permits permitted.psbt";
        walk.refused(line, 3, "unauthorised");
        let told = walk.run("reconcile").json();
        assert_eq!(verdicts(&told), ["unauthorised"]);
        assert_eq!(told["spends"][0]["reason"], "the vault signed it without the permit");
    }
}

#[test]
fn a_receipt_must_name_the_verified_permit() {
    let other = policies::id::PermitId::of(b"another permit");
    for named in [None, Some(other)] {
        let (vault, walk) = paid(Some(5), None);
        let receipt = receipt_naming(named, 8, &vault.spend(&walk.read("a.psbt")));
        walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
        walk.refused("reconcile --receipts receipts.json", 3, "unauthorised");
        let spend = walk.run("reconcile").json()["spends"][0].clone();
        assert_eq!((&spend["permit"], &spend["receipt"]), (&json!("verified"), &json!("mismatched")));
    }
    // That a governed key was used without any permit needs no permit to be seen.
    let (vault, walk) = paid(None, None);
    let receipt = receipt_naming(None, 8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    walk.refused("reconcile --receipts receipts.json", 3, "unauthorised");
}

#[test]
fn whether_permits_are_needed_follows_from_the_export_and_not_from_the_wallet_s_name() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    // The policy knows no wallet of the name `treasury`.
    let walk = asked(&vault, &vault.export());
    walk.done("trust authority.pub");
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), None, None));
    walk.done("submit signed.psbt");
    walk.done("sync");
    walk.refused("reconcile", 3, "unauthorised");
    assert_eq!(walk.run("reconcile").json()["spends"][0]["permit"], "missing");
    walk.write("answered.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    walk.done("submit answered.psbt");
    assert_eq!(walk.done("reconcile")["ungoverned"], json!([]));
}

#[test]
fn permits_that_cannot_be_verified_leave_it_incomplete_until_the_authority_is_pinned() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = asked(&vault, &vault.export());
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    walk.done("submit signed.psbt");
    walk.done("sync");
    let answer = walk.run("reconcile");
    assert_eq!((answer.code, answer.error().as_str()), (4, "authority-needed"));
    assert!(answer.stderr.contains("hint: `watch-node trust FILE`"), "{}", answer.stderr);
    let told = answer.json();
    assert_eq!(
        (&told["verdict"], &told["spends"][0]["permit"]),
        (&json!("incomplete"), &json!("unverifiable"))
    );
    walk.done("trust authority.pub");
    assert_eq!(walk.done("reconcile --permits signed.psbt")["verdict"], "clean");
}

#[test]
fn a_wallet_that_obeys_nobody_is_named_while_an_authority_is_pinned() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = asked(&vault, &vault.export_obeying(None));
    assert_eq!(walk.done("reconcile")["ungoverned"], json!([]), "nobody could govern it");
    walk.done("trust authority.pub");
    let [external, internal] = ["external", "internal"]
        .map(|key| Vault::new(ScriptKind::Tr, 9).export()[key].as_str().unwrap().to_owned());
    walk.done(&format!("wallet import plain --descriptor {external} --descriptor {internal}"));
    walk.done("sync");
    assert_eq!(walk.done("reconcile")["ungoverned"], json!(["treasury", "plain"]));
    let text = walk.text("reconcile");
    assert!(
        text.contains("ungoverned           treasury: ") && text.contains("ungoverned           plain: "),
        "{text}"
    );
    assert!(text.lines().last().unwrap().starts_with("clean"), "{text}");
}

#[test]
fn a_file_s_name_does_not_reach_the_terminal_raw() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let said = walk.text(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a\u{1b}[2J\u{202e}.psbt"));
    assert!(said.contains("a\\u{1b}[2J\\u{202e}.psbt") && !said.contains(['\u{1b}', '\u{202e}']), "{said}");
    let said = walk.text("payments export P-0001 -o b\u{202e}.psbt");
    assert!(said.contains("b\\u{202e}.psbt"), "{said}");
}

/// Signed without a permit by the vault of a wallet that obeys nobody.
fn answered_standalone(vault: &Vault, file: &[u8]) -> Vec<u8> {
    let mut psbt = vault.sign_psbt(file);
    let mut envelope = Envelope::read(&psbt).unwrap();
    let receipt = receipt_naming(None, vault.audit, &vault.spend(file));
    envelope.insert(Kind::Receipt, receipt.to_bytes()).unwrap();
    envelope.write(&mut psbt);
    psbt.serialize()
}

#[test]
fn money_that_leaves_a_wallet_that_obeys_nobody_is_refused_until_the_wallet_is_named() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = asked(&vault, &vault.export_obeying(None));
    walk.write("signed.psbt", &answered_standalone(&vault, &walk.read("a.psbt")));
    walk.done("trust authority.pub");
    assert_eq!(walk.done("reconcile")["verdict"], "clean", "nothing has moved");
    walk.done("submit signed.psbt");
    // Not shown by the source yet, then unconfirmed, then confirmed.
    for (before, stage) in
        [("status", "broadcast"), ("sync", "seen"), ("regtest mine 1", "seen"), ("sync", "confirmed")]
    {
        walk.done(before);
        let answer = walk.run("reconcile");
        assert_eq!((answer.code, answer.error().as_str()), (3, "ungoverned"));
        assert!(answer.stderr.contains("--accept-ungoverned NAME"), "{}", answer.stderr);
        let told = answer.json();
        assert_eq!((&told["verdict"], &told["ungoverned"]), (&json!("ungoverned"), &json!(["treasury"])));
        let spend = &told["spends"][0];
        assert_eq!((&spend["verdict"], &spend["stage"]), (&json!("ungoverned"), &json!(stage)));
        assert_eq!((&spend["permit"], &spend["receipt"]), (&json!("not-needed"), &json!("verified")));
        assert_eq!(spend["inputs"][0]["value_sat"], 100_000_000);
        let addresses: Vec<_> =
            spend["outputs"].as_array().unwrap().iter().map(|output| output["address"].clone()).collect();
        assert!(addresses.contains(&json!(TO)), "{addresses:?}");
        assert!(walk.text("reconcile").contains("why   its wallet obeys no authority"));

        let told = walk.done("reconcile --accept-ungoverned treasury");
        assert_eq!((&told["verdict"], &told["accepted_ungoverned"]), (&json!("clean"), &json!(["treasury"])));
    }
    assert!(
        walk.text("reconcile --accept-ungoverned treasury").contains("obeys no authority, which is accepted")
    );
    walk.refused("reconcile --accept-ungoverned nobody", 3, "unknown-wallet");
    walk.refused("reconcile", 3, "ungoverned");
}

#[test]
fn accepting_an_ungoverned_wallet_accepts_neither_theft_nor_a_governed_one() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = asked(&vault, &vault.export_obeying(None));
    walk.done("trust authority.pub");
    steal(&vault, &walk);
    walk.done("sync");
    walk.refused("reconcile --accept-ungoverned treasury", 3, "unauthorised");
    let governed = Walk::funded(&vault);
    governed.refused("reconcile --accept-ungoverned savings", 2, "usage");
}

#[test]
fn what_was_broadcast_is_called_so_before_the_source_shows_it() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    let told = walk.done("reconcile --receipts receipts.json --permits signed.psbt");
    assert_eq!(
        (&told["spends"][0]["verdict"], &told["spends"][0]["stage"]),
        (&json!("signed-not-broadcast"), &json!("signed"))
    );
    walk.done("submit signed.psbt");
    for (before, verdict, stage) in [
        ("status", "broadcast", "broadcast"),
        ("sync", "authorised", "seen"),
        ("regtest mine 1", "authorised", "seen"),
        ("sync", "authorised", "confirmed"),
    ] {
        walk.done(before);
        let told = walk.done("reconcile");
        assert_eq!((verdicts(&told), &told["spends"][0]["stage"]), (vec![verdict], &json!(stage)));
        assert!(walk.text("reconcile").contains(&format!("P-0001 {stage}, permit verified")));
    }
}

#[test]
fn what_was_broadcast_without_a_permit_is_told_before_the_source_shows_it() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), None, None));
    walk.done("submit signed.psbt");
    walk.refused("reconcile", 3, "unauthorised");
    let spend = walk.run("reconcile").json()["spends"][0].clone();
    assert_eq!((&spend["payment"], &spend["stage"]), (&json!("P-0001"), &json!("broadcast")));
    assert_eq!(spend["reason"], "it has neither permit nor receipt");
}
