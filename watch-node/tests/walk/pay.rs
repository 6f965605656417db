//! What `pay` makes, and what it refuses to make.

use bitcoin::Psbt;
use policies::codec::Canonical;
use policies::request::SignedRequest;
use policies::wallet::ScriptKind;
use psbt_tools::display::words_of;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::json;

use crate::Walk;
use crate::people::Vault;

pub const TO: &str = "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk";

#[test]
fn a_request_proves_its_amounts_and_says_what_is_asked() {
    for kind in [ScriptKind::Wpkh, ScriptKind::Tr] {
        let vault = Vault::new(kind, 8);
        let walk = Walk::funded(&vault);
        let paid = walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 --purpose rent -o a.psbt"));
        assert_eq!((&paid["payment"], &paid["inputs"]), (&json!("P-0001"), &json!(1)));
        let recipient = json!({"address": TO, "amount_sat": 40_000_000});
        assert_eq!(paid["recipients"], json!([recipient]));
        let (fee, change) = (paid["fee_sat"].as_u64().unwrap(), paid["change_sat"].as_u64().unwrap());
        assert_eq!(fee + change, 60_000_000);
        let rate: f64 = paid["feerate_sat_per_vb"].as_f64().unwrap();
        assert!((5.0..5.1).contains(&rate), "{rate}");

        let file = walk.read("a.psbt");
        let spend = vault.spend(&file);
        assert_eq!(paid["spend_id"], json!(spend.id().to_string()));
        let psbt = Psbt::deserialize(&file).unwrap();
        assert!(psbt.unsigned_tx.input.iter().all(|input| input.sequence.0 == 0xffff_fffd));
        assert!(
            psbt.inputs[0].non_witness_utxo.is_some(),
            "a permit needs proven amounts, of taproot as well"
        );
        let envelope = Envelope::read(&psbt).unwrap();
        let requests: Vec<_> = envelope.get(Kind::Request).collect();
        let request = SignedRequest::from_bytes(requests[0]).unwrap();
        assert!(requests.len() == 1 && request.signature.is_none());
        let request = request.request;
        assert_eq!((request.payment, request.purpose.as_str()), (1, "rent"));
        assert_eq!(request.differences(&spend, request.created), vec![]);
        assert_eq!(request.max_fee.to_sat(), fee);
    }
}

#[test]
fn an_export_is_the_same_file_byte_for_byte() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    walk.done("payments export P-0001 -o again.psbt");
    assert_eq!(walk.read("a.psbt"), walk.read("again.psbt"));
    walk.refused("payments export P-0001 -o again.psbt", 3, "exists");
    walk.refused("payments show P-0002", 3, "unknown-payment");
    let shown = walk.done("payments show 1");
    assert_eq!((&shown["state"], &shown["amount_sat"]), (&json!("exported"), &json!(40_000_000)));
}

#[test]
fn reserved_coins_are_not_spent_twice() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    assert_eq!(walk.done("balance savings")["reserved_sat"], 100_000_000);
    let line = format!("pay savings --to {TO}=0.1btc --feerate 5 -o b.psbt");
    walk.refused(&line, 3, "insufficient-funds");
    assert!(walk.run(&line).stderr.contains("is reserved for other payments"));
    let coin = walk.done("coins savings")["coins"][0]["outpoint"].as_str().unwrap().to_owned();
    walk.refused(
        &format!("pay savings --to {TO}=0.1btc --feerate 5 --coin {coin} -o b.psbt"),
        3,
        "coin-unavailable",
    );
    walk.fund("0.2btc");
    let second = walk.done(&line);
    assert_eq!((&second["payment"], &second["inputs"]), (&json!("P-0002"), &json!(1)));
    let change = |name: &str| {
        let psbt = Psbt::deserialize(&walk.read(name)).unwrap();
        let own = psbt.outputs.iter().find(|output| !output.bip32_derivation.is_empty()).unwrap();
        own.bip32_derivation.values().next().unwrap().1.clone()
    };
    assert_ne!(change("a.psbt"), change("b.psbt"), "each payment has its own change address");
}

#[test]
fn unconfirmed_and_immature_coins_are_not_spent() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let address = walk.done("address savings")["address"].as_str().unwrap().to_owned();
    walk.done(&format!("regtest mine 1 --to {address}"));
    walk.done(&format!("regtest fund {address} 3btc"));
    walk.done("sync");
    let answer = walk.run(&format!("pay savings --to {TO}=2btc --feerate 5 -o a.psbt"));
    assert_eq!((answer.code, answer.error().as_str()), (3, "insufficient-funds"));
    assert!(answer.stderr.contains("younger than 100 blocks") && answer.stderr.contains("is not confirmed"));
}

#[test]
fn change_that_would_be_dust_goes_to_the_fee() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let paid = walk.done(&format!("pay savings --to {TO}=99999700sat --feerate 1 -o a.psbt"));
    assert_eq!((&paid["change_sat"], &paid["fee_sat"]), (&json!(0), &json!(300)));
}

#[test]
fn several_recipients_come_from_options_and_a_list() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    walk.write("list.csv", format!("{TO},0.1btc\n\n{TO}, 200000 sat\n").as_bytes());
    let paid = walk.done(&format!("pay savings --to {TO}=0.3btc --csv list.csv --feerate 2.5 -o a.psbt"));
    let amounts: Vec<_> = paid["recipients"].as_array().unwrap().iter().map(|to| &to["amount_sat"]).collect();
    assert_eq!(amounts, [30_000_000, 10_000_000, 200_000]);
    walk.write("bad.csv", b"nonsense\n");
    walk.refused("pay savings --csv bad.csv --feerate 1 -o b.psbt", 3, "malformed");
}

#[test]
fn each_refusal_makes_no_payment() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let pay = |rest: &str| format!("pay savings {rest} -o a.psbt");
    for (rest, code, word) in [
        (format!("--to {TO}=0.4 --feerate 1"), 2, "usage"),
        (format!("--to {TO} --feerate 1"), 2, "usage"),
        (format!("--to {TO}=0.4btc --feerate 0.5"), 2, "usage"),
        (format!("--to {TO}=0.4btc --feerate 1 --expires 8"), 2, "usage"),
        ("--to nonsense=0.4btc --feerate 1".to_owned(), 2, "bad-address"),
        ("--to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT=0.4btc --feerate 1".to_owned(), 3, "wrong-network"),
        (format!("--to {TO}=0.999999btc --feerate 5"), 3, "insufficient-funds"),
        (format!("--to {TO}=100sat --feerate 5"), 3, "C18"),
        (format!("--to {TO}=0.4btc --feerate 5 --max-fee 500sat"), 3, "fee-too-high"),
        (format!("--to {TO}=0.4btc --feerate 50000"), 3, "C16"),
        (format!("--to {TO}=0.4btc --feerate 5 --coin {}:0", "11".repeat(32)), 3, "coin-unavailable"),
    ] {
        walk.refused(&pay(&rest), code, word);
    }
    walk.refused(&format!("pay nobody --to {TO}=1sat --feerate 1 -o a.psbt"), 3, "unknown-wallet");
    walk.write("taken.psbt", b"x");
    walk.refused(&format!("pay savings --to {TO}=0.4btc --feerate 1 -o taken.psbt"), 3, "exists");
    assert_eq!(walk.read("taken.psbt"), b"x");
    assert_eq!(walk.done("payments")["payments"], json!([]));
    assert_eq!(walk.done("balance savings")["reserved_sat"], 0);
}

#[test]
fn a_request_on_standard_output_is_the_file_alone() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_watch-node"))
        .args(["--data", "node", "pay", "savings", "--feerate", "1", "-o", "-", "--to"])
        .arg(format!("{TO}=0.4btc"))
        .current_dir(walk.path(""))
        .output()
        .unwrap();
    walk.done("payments export P-0001 -o again.psbt");
    assert_eq!(output.stdout, walk.read("again.psbt"));
}

#[test]
fn the_words_of_what_was_written_are_told() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    let told = |line: &str, file: &str| {
        let text = walk.text(line);
        let words = format!("words   {}", words_of(&walk.read(file)));
        assert!(text.lines().any(|told| told == words), "{text}");
    };
    told(&format!("pay savings --to {TO}=0.4btc --feerate 1 -o a.psbt"), "a.psbt");
    told("payments export P-0001 -o b.psbt", "b.psbt");
    told("bump P-0001 --feerate 5 -o c.psbt", "c.psbt");
    assert_eq!(walk.done("payments export P-0001 -o d.psbt")["words"], words_of(&walk.read("d.psbt")));
    let bumped = walk.done("bump P-0001 --feerate 9 -o e.psbt");
    assert_eq!(bumped["words"], words_of(&walk.read("e.psbt")));
}
