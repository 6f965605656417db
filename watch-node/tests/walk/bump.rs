//! A payment tried again: with a higher fee, or back to the wallet.

use bitcoin::Psbt;
use policies::request::Recipient;
use policies::wallet::ScriptKind;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::{Value, json};

use crate::Walk;
use crate::pay::TO;
use crate::people::{SINGLE, Vault, ask, receipts_file, request};

/// A payment of 0.4 BTC whose request is signed, approved, permitted and broadcast; the ceiling is 20,000 sat.
fn sent(kind: ScriptKind) -> (Vault, Walk) {
    let vault = Vault::new(kind, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!(
        "pay savings --to {TO}=0.4btc --feerate 5 --max-fee 20000sat --purpose rent -o a.psbt"
    ));
    answer(&vault, &walk, "a");
    walk.done("submit a-signed.psbt");
    walk.done("sync");
    (vault, walk)
}

/// Signed by the desk, approved, permitted and signed by the vault.
fn answer(vault: &Vault, walk: &Walk, name: &str) {
    let asked = ask(&walk.read(&format!("{name}.psbt")), &[4]);
    walk.write(&format!("{name}-signed.psbt"), &vault.answer(&asked, Some(5), Some(8)));
}

fn states(walk: &Walk) -> Vec<String> {
    let shown = walk.done("payments show P-0001");
    let attempts = shown["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["state"].as_str().unwrap().to_owned()).collect()
}

fn verdicts(told: &Value) -> Vec<(Value, String)> {
    let spends = told["spends"].as_array().unwrap().iter();
    spends.map(|spend| (spend["attempt"].clone(), spend["verdict"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn a_fee_within_the_ceiling_needs_no_new_signature_or_approval() {
    for kind in SINGLE {
        let (vault, walk) = sent(kind);
        let first = walk.done("payments show P-0001");
        let told = walk.done("bump P-0001 --feerate 20 -o b.psbt");
        assert_eq!((&told["payment"], &told["attempt"]), (&json!("P-0001"), &json!(2)));
        assert_eq!((&told["same_request"], &told["approvals"]), (&json!(true), &json!(1)));
        assert_eq!(
            (&told["request_id"], &told["replaces"]),
            (&first["request_id"], &json!([first["unsigned_txid"]]))
        );
        let rate = told["feerate_sat_per_vb"].as_f64().unwrap();
        assert!((20.0..20.1).contains(&rate), "{rate}");
        let (before, after) = (walk.read("a-signed.psbt"), walk.read("b.psbt"));
        assert_eq!(request(&before), request(&after), "signature and all");
        let envelope = Envelope::read(&Psbt::deserialize(&after).unwrap()).unwrap();
        let kinds = [Kind::Approval, Kind::Facts, Kind::Permit, Kind::Receipt];
        assert_eq!(kinds.map(|kind| envelope.get(kind).count()), [1, 1, 0, 0]);
        let (old, new) = (vault.spend(&before), vault.spend(&after));
        assert_eq!((old.anchor(), Recipient::of(&old)), (new.anchor(), Recipient::of(&new)));
        let own = |spend: &policies::spend::Spend| spend.outputs().iter().find_map(|output| output.own);
        assert_eq!(own(&old), own(&new), "the same change address");
        assert_eq!(request(&after).request.differences(&new, 0), vec![]);

        // Nothing has changed on the chain.
        assert_eq!((walk.state().as_str(), states(&walk)), ("seen", vec!["seen".into(), "exported".into()]));
        assert_eq!(walk.done("payments show 1")["attempt"], 1);
        answer(&vault, &walk, "b");
        let sent = walk.done("submit b-signed.psbt")["submitted"][0].clone();
        assert_eq!(sent["attempt"], 2);
        let is_same = sent["txid"] == told["unsigned_txid"];
        assert_eq!(is_same, !vault.wallet.kind().has_script_sig());
        walk.done("sync");
        assert_eq!(states(&walk), ["broadcast", "seen"]);
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
        walk.refused("submit a-signed.psbt", 3, "transaction-refused");
        let answer = walk.run("submit a-signed.psbt");
        assert!(
            answer.stderr.contains("hint: another spend of these coins waits already"),
            "{}",
            answer.stderr
        );

        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(
            (walk.state().as_str(), states(&walk)),
            ("confirmed", vec!["replaced".into(), "confirmed".into()])
        );
        let shown = walk.done("payments show 1");
        assert_eq!((&shown["txid"], &shown["attempt"]), (&sent["txid"], &json!(2)));
        assert_eq!(shown["attempts"][0]["replaced_by"], sent["txid"]);
        let listed = verdicts(&walk.done("reconcile"));
        let expected = [(json!(2), "authorised".to_owned()), (json!(1), "replaced".to_owned())];
        assert_eq!(listed, expected);
        let text = walk.text("payments");
        assert!(
            text.contains("attempt 1  replaced") && text.contains("attempt 2  confirmed, 1 conf"),
            "{text}"
        );
        assert_eq!(walk.done("submit b-signed.psbt")["submitted"][0]["again"], true, "identical bytes");
        walk.refused("bump P-0001 -o c.psbt", 3, "not-replaceable");
        assert_eq!(walk.done("balance savings")["total_sat"], told["change_sat"]);
    }
}

#[test]
fn above_the_ceiling_a_new_request_names_all_before_it() {
    let (vault, walk) = sent(ScriptKind::Wpkh);
    let second = walk.done("bump P-0001 --feerate 20 -o b.psbt");
    let third = walk.done("bump P-0001 --feerate 200 -o c.psbt");
    assert_eq!((&second["same_request"], &third["same_request"]), (&json!(true), &json!(false)));
    let asked = request(&walk.read("c.psbt"));
    let before = request(&walk.read("a.psbt")).request;
    assert!(asked.signature.is_none());
    assert_eq!(asked.request.replaces, [before.id()], "each request once");
    assert_eq!((asked.request.payment, &asked.request.purpose), (1, &"rent".to_owned()));
    assert_eq!((asked.request.anchor, &asked.request.recipients), (before.anchor, &before.recipients));
    assert_eq!(asked.request.max_fee.to_sat(), third["fee_sat"].as_u64().unwrap());
    // The new request is not known to be signed, so it cannot serve again.
    let fourth = walk.done("bump P-0001 --feerate 210 --max-fee 0.01btc -o d.psbt");
    let again = request(&walk.read("d.psbt")).request;
    assert_eq!(again.replaces, [before.id(), asked.request.id()]);
    assert_eq!((again.max_fee.to_sat(), &fourth["max_fee_sat"]), (1_000_000, &json!(1_000_000)));
    // The file that came back tells that it is signed.
    answer(&vault, &walk, "d");
    walk.done("submit d-signed.psbt");
    assert_eq!(walk.done("bump P-0001 --feerate 230 -o e.psbt")["same_request"], true);
    walk.done("sync");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(states(&walk), ["replaced", "replaced", "replaced", "confirmed", "replaced"]);
    assert_eq!(walk.done("reconcile")["verdict"], "clean");
    for (nth, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")] {
        walk.done(&format!("payments export P-0001 --attempt {nth} -o again-{name}.psbt"));
        assert_eq!(walk.read(&format!("again-{name}.psbt")), walk.read(&format!("{name}.psbt")));
    }
    walk.done("payments export P-0001 -o last.psbt");
    assert_eq!(walk.read("last.psbt"), walk.read("e.psbt"));
    walk.refused("payments export P-0001 --attempt 6 -o f.psbt", 3, "unknown-payment");
}

#[test]
fn a_request_that_was_never_seen_signed_is_corrected_by_a_new_one() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 --max-fee 20000sat -o a.psbt"));
    let told = walk.done("bump P-0001 --feerate 20 -o b.psbt");
    assert_eq!((&told["same_request"], &told["max_fee_sat"]), (&json!(false), &json!(20_000)));
    assert!(walk.text("payments").contains("attempt 2  exported"));
    // A permitted file is enough to know it.
    let mut psbt =
        Psbt::deserialize(&vault.answer(&ask(&walk.read("b.psbt"), &[4, 6]), Some(5), None)).unwrap();
    psbt.inputs[0].partial_sigs.clear();
    walk.write("permitted.psbt", &psbt.serialize());
    walk.done("reconcile --permits permitted.psbt");
    assert_eq!(walk.state(), "permitted");
    let told = walk.done("bump P-0001 --feerate 40 -o c.psbt");
    assert_eq!((&told["same_request"], &told["approvals"]), (&json!(true), &json!(2)));
    assert!(
        walk.text("bump P-0001 --feerate 60 -o d.psbt").contains("Next: gatekeeper submit d.psbt -o OUT")
    );
    assert!(walk.text("bump P-0001 --feerate 400 -o e.psbt").contains("Next: gatekeeper request e.psbt"));
    assert_eq!(walk.done("balance savings")["reserved_sat"], 100_000_000, "once");
}

#[test]
fn a_signature_by_somebody_else_does_not_take_the_place_of_the_permitted_one() {
    let (_, walk) = sent(ScriptKind::Wpkh);
    let permitted = request(&walk.read("a-signed.psbt"));
    let mut psbt = Psbt::deserialize(&walk.read("a-signed.psbt")).unwrap();
    let mut envelope = Envelope::default();
    let stranger = crate::people::sign(
        77,
        policies::identity::Namespace::Request,
        &policies::codec::Canonical::to_bytes(&permitted.request),
    );
    let forged = policies::request::SignedRequest { signature: Some(stranger), ..permitted.clone() };
    envelope.insert(Kind::Request, policies::codec::Canonical::to_bytes(&forged)).unwrap();
    envelope.write(&mut psbt);
    walk.write("forged.psbt", &psbt.serialize());
    walk.done("submit forged.psbt");
    walk.done("bump P-0001 --feerate 20 -o b.psbt");
    assert_eq!(request(&walk.read("b.psbt")), permitted);
}

#[test]
fn a_standalone_wallet_carries_its_request_unsigned() {
    let vault = Vault::new(ScriptKind::Tr, 8);
    let walk = Walk::empty();
    walk.write("savings.json", vault.export_obeying(None).to_string().as_bytes());
    walk.done("wallet import savings --file savings.json");
    walk.done("regtest mine 101");
    walk.fund("1btc");
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 --max-fee 20000sat -o a.psbt"));
    let told = walk.done("bump P-0001 --feerate 20 -o b.psbt");
    assert_eq!((&told["same_request"], &told["facts"]), (&json!(true), &json!(null)));
    assert_eq!(request(&walk.read("a.psbt")), request(&walk.read("b.psbt")));
    assert!(walk.text("bump P-0001 --feerate 30 -o c.psbt").contains("Next: cold-signer sign c.psbt"));
}

#[test]
fn taken_back_it_stays_back() {
    let (vault, walk) = sent(ScriptKind::Wpkh);
    let told = walk.done("bump P-0001 --to-self -o b.psbt");
    assert_eq!((&told["recipients"], &told["same_request"]), (&json!([]), &json!(false)));
    assert_eq!(told["change_sat"].as_u64().unwrap() + told["fee_sat"].as_u64().unwrap(), 100_000_000);
    let spend = vault.spend(&walk.read("b.psbt"));
    assert_eq!((spend.external_outputs().count(), spend.outputs().len()), (0, 1));
    let asked = request(&walk.read("b.psbt")).request;
    assert_eq!(asked.replaces, [request(&walk.read("a.psbt")).request.id()]);
    assert!(asked.recipients.is_empty());
    let answer_to = walk.run("bump P-0001 --feerate 70 -o c.psbt");
    assert_eq!(answer_to.json()["recipients"], json!([]));
    assert!(answer_to.stderr.contains("note: P-0001 goes back to the wallet, and stays so"));
    answer(&vault, &walk, "b");
    walk.done("submit b-signed.psbt");
    walk.done("sync");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(states(&walk), ["replaced", "confirmed", "replaced"]);
    assert_eq!(walk.done("payments show 1")["amount_sat"], 0);
    assert_eq!(walk.done("balance savings")["total_sat"], told["change_sat"]);
    assert_eq!(walk.done("reconcile")["verdict"], "clean");
}

#[test]
fn coins_that_were_added_for_the_fee_are_free_again_when_another_attempt_wins() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.fund("0.2btc");
    walk.fund("0.3btc");
    // Change of 1,000 sat or so is left.
    let line = format!("pay savings --to {TO}=0.49998btc --feerate 5");
    let coin = walk.done("coins savings")["coins"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["value_sat"] == 100_000_000)
        .unwrap()["outpoint"]
        .clone();
    let line = line.replace("0.49998", "0.99998") + &format!(" --coin {} -o a.psbt", coin.as_str().unwrap());
    assert_eq!(walk.done(&line)["inputs"], 1);
    answer(&vault, &walk, "a");
    walk.done("submit a-signed.psbt");
    walk.done("sync");
    let told = walk.done("bump P-0001 --feerate 50 -o b.psbt");
    assert_eq!(told["inputs"], 2, "the largest free one");
    let first = vault.spend(&walk.read("a.psbt")).anchor();
    assert_eq!(vault.spend(&walk.read("b.psbt")).anchor(), first);
    let balance = |key: &str| walk.done("balance savings")[key].clone();
    assert_eq!((balance("reserved_sat"), balance("spendable_sat")), (json!(30_000_000), json!(20_000_000)));
    // What it adds, a third attempt spends as well.
    let third = walk.done("bump P-0001 --feerate 60 -o c.psbt");
    assert_eq!(third["inputs"], 2);
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(states(&walk), ["confirmed", "replaced", "replaced"]);
    assert_eq!(balance("reserved_sat"), 0);
    assert!(balance("spendable_sat").as_u64().unwrap() >= 50_000_000);
    // A receipt of an attempt that lost is no alarm.
    let lost = vault.spend(&walk.read("b.psbt"));
    walk.write("b-permitted.psbt", &vault.answer(&ask(&walk.read("b.psbt"), &[]), Some(5), None));
    let receipts = [&vault.spend(&walk.read("a.psbt")), &lost].map(|spend| crate::people::receipt(8, spend));
    walk.write("receipts.json", receipts_file(8, &receipts).to_string().as_bytes());
    let told = walk.done("reconcile --receipts receipts.json --permits b-permitted.psbt");
    let expected = [(json!(1), "authorised".to_owned()), (json!(2), "replaced".to_owned())];
    assert_eq!((told["verdict"].as_str().unwrap(), verdicts(&told)), ("clean", expected.to_vec()));
    assert!(walk.text("reconcile").contains("P-0001 attempt 2 replaced, permit verified"));
}

#[test]
fn each_refusal_makes_no_attempt() {
    let (vault, walk) = sent(ScriptKind::Wpkh);
    walk.write("taken.psbt", b"x");
    for (rest, code, word, hint) in [
        ("P-0007 -o b.psbt", 3, "unknown-payment", "`watch-node payments` lists"),
        ("P-0001 --feerate 5 -o b.psbt", 3, "fee-too-low", "hint: give --feerate 6"),
        ("P-0001 --feerate 5.9 -o b.psbt", 3, "fee-too-low", "or leave it out for the least that replaces"),
        ("P-0001 --feerate 20 --max-fee 900sat -o b.psbt", 3, "fee-too-high", "lower --feerate or raise"),
        ("P-0001 --feerate 20 --max-fee 900 -o b.psbt", 2, "usage", "unit"),
        ("P-0001 --feerate 50000 -o b.psbt", 3, "C16", "hint: "),
        ("P-0001 --feerate 600000 -o b.psbt", 3, "insufficient-funds", "pay less, or wait"),
        ("P-0001 -o taken.psbt", 3, "exists", "hint: "),
        ("P-x -o b.psbt", 2, "usage", "hint: "),
    ] {
        let line = format!("bump {rest}");
        walk.refused(&line, code, word);
        let stderr = walk.run(&line).stderr;
        assert!(stderr.contains(hint), "{line}: {stderr}");
    }
    assert_eq!(states(&walk), ["seen"]);
    // A confirmation that was not read yet.
    walk.done("regtest mine 1");
    walk.refused("bump P-0001 -o b.psbt", 5, "stale");
    walk.done("sync");
    walk.refused("bump P-0001 -o b.psbt", 3, "not-replaceable");
    let stderr = walk.run("bump P-0001 --to-self -o b.psbt").stderr;
    assert!(
        stderr.contains("P-0001 cannot be replaced: its transaction") && stderr.contains("1 confirmation\n")
    );
    // Somebody else was faster.
    walk.fund("0.2btc");
    let second = format!("pay savings --to {TO}=0.1btc --feerate 5 -o b.psbt");
    walk.done(&second);
    let conflict = vault.elsewhere(&walk.read("b.psbt"), 1, &[(crate::people::thief(), 1_000_000)]);
    use watch_node::chain::Relay;
    watch_node::chain::embedded::Embedded::open(&walk.path("node")).unwrap().submit(&conflict).unwrap();
    walk.done("regtest mine 1");
    walk.done("sync");
    walk.refused("bump P-0002 -o c.psbt", 3, "not-replaceable");
    assert!(walk.run("bump P-0002 -o c.psbt").stderr.contains("has spent its coins"));
}
