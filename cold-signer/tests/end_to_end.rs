//! Console, reader and vault as real processes: from a new key to a transaction that anybody can verify.

mod common;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Psbt, ScriptBuf};
use common::authority::{armor, authority, sign};
use common::foreign;
use common::laptop::{Laptop, code};
use policies::codec::Canonical;
use policies::identity::Namespace;
use policies::permit::{Permit, PermitStatement, PermitVault, Receipt};
use policies::request::{Recipient, Request, SignedRequest};
use policies::spend::{Spend, SpendOutput};
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::Value;

#[test]
fn a_standalone_key_signs_what_was_reviewed_and_nothing_else() {
    let laptop = Laptop::new();
    for script in ["wpkh", "tr"] {
        laptop.done(&["new-key", "--wallet", script, "--network", "regtest", "--script", script]);
        let wallet = laptop.wallet(script);
        let (request, signed) = (format!("{script}-request.psbt"), format!("{script}-signed.psbt"));
        let spend = laptop.write(&request, &wallet, None);

        let review = laptop.done(&["review", &request]);
        assert_eq!(review["verdict"], "clean");
        assert_eq!(review["spend_id"], spend.id().to_string());
        assert_eq!(review["recipients"][0]["value_sat"], 40_000_000);
        assert_eq!((&review["change_sat"], &review["fee_sat"]), (&59_990_000.into(), &10_000.into()));
        assert_eq!(review["permit"], Value::Null);
        let document = std::fs::read(laptop.path(&request)).unwrap();
        assert_eq!(review["sha256"], bitcoin::hashes::sha256::Hash::hash(&document).to_string());

        let (exit, refusal) = laptop.run(&["sign", &request]);
        assert_eq!((exit, code(&refusal)), (4, "no-consent"));
        let (exit, refusal) = laptop.run(&["sign", &request, "--consent", &"0".repeat(64)]);
        assert_eq!((exit, code(&refusal)), (3, "other-spend"));
        assert!(!laptop.path(&signed).exists());

        let consent = spend.id().to_string();
        let done = laptop.done(&["sign", &request, "--consent", &consent]);
        assert_eq!((&done["signatures"], &done["signed_before"]), (&1.into(), &false.into()));
        let transaction = laptop.transaction(&signed);
        assert_eq!(transaction.compute_txid(), spend.unsigned_txid());

        let (exit, refusal) = laptop.run(&["sign", &request, "--consent", &consent]);
        assert_eq!((exit, code(&refusal)), (3, "exists"));
        let again =
            laptop.done(&["sign", &request, "--consent", &consent, "-o", &format!("{script}-again.psbt")]);
        assert_eq!(again["signed_before"], true);
        assert_eq!(again["receipt"], done["receipt"]);
        assert_eq!(laptop.transaction(&format!("{script}-again.psbt")), transaction);
    }
    laptop.done(&["receipts", "-o", "receipts.json"]);
    let receipts: Value =
        serde_json::from_slice(&std::fs::read(laptop.path("receipts.json")).unwrap()).unwrap();
    let receipts = receipts["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 2);
    for receipt in receipts {
        let bytes = <Vec<u8> as bitcoin::hex::FromHex>::from_hex(receipt.as_str().unwrap()).unwrap();
        Receipt::from_bytes(&bytes).unwrap().audit_key().unwrap();
    }
}

#[test]
fn wrong_inputs_have_their_documented_exit_codes() {
    let laptop = Laptop::new();
    let (exit, refusal) = laptop.run(&["keys"]);
    assert_eq!((exit, code(&refusal)), (1, "no-store"));
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let wallet = laptop.wallet("main");
    laptop.write("a.psbt", &wallet, None);
    let other = common::wallet();
    laptop.write("other.psbt", &other, None);
    std::fs::write(laptop.path("text"), "hello").unwrap();

    let (exit, refusal) = laptop.run_with("wrong", &["keys"]);
    assert_eq!((exit, code(&refusal)), (5, "wrong-passphrase"));
    assert_eq!(laptop.run(&["sign", "missing.psbt"]).0, 1);
    let (exit, refusal) = laptop.run(&["sign", "text"]);
    assert_eq!((exit, code(&refusal)), (3, "malformed"));
    assert_eq!(laptop.run(&["sign", "other.psbt"]).0, 3);
    assert_eq!(laptop.run(&["review", "other.psbt"]).0, 3);
    for command in ["export", "address"] {
        let index: &[&str] = if command == "address" { &["--index", "0"] } else { &[] };
        let arguments = [&[command, "--wallet", "nobody"], index].concat();
        let (exit, refusal) = laptop.run(&arguments);
        assert_eq!((exit, code(&refusal)), (3, "unknown-wallet"));
    }
    let address = laptop.done(&["address", "--wallet", "main", "--index", "5"]);
    assert_eq!(address["path"], "m/84'/1'/0'/0/5");

    let (exit, several) = laptop.run(&["sign", "text", "a.psbt"]);
    assert_eq!((exit, several["files"].as_array().unwrap().len()), (4, 2));
    assert_eq!(several["files"][0]["error"]["code"], "malformed");
    assert_eq!(several["files"][1]["error"]["code"], "no-consent");
}

#[test]
fn a_question_must_be_accepted_by_its_number() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let wallet = laptop.wallet("main");
    let data = ScriptBuf::from_bytes([&[0x6a, 5][..], b"hello"].concat());
    let spend =
        laptop.write("a.psbt", &wallet, Some(SpendOutput { value: Amount::ZERO, script: data, own: None }));
    assert_eq!(laptop.done(&["review", "a.psbt"])["verdict"], "ask");
    let consent = spend.id().to_string();
    let (exit, refusal) = laptop.run(&["sign", "a.psbt", "--consent", &consent]);
    assert_eq!((exit, code(&refusal)), (4, "not-accepted"));
    laptop.done(&["sign", "a.psbt", "--consent", &consent, "--accept", "C19"]);
}

#[test]
fn the_vaults_own_ceremonies_are_reached_through_the_console() {
    let laptop = Laptop::new();
    let words = format!("{}about\n", "abandon ".repeat(11));
    std::fs::write(laptop.path("words"), words).unwrap();
    laptop.done(&["restore", "--wallet", "old", "--network", "regtest", "--words-file", "words"]);
    let keys = laptop.done(&["keys"]);
    assert_eq!(
        (&keys["keys"][0]["fingerprint"], &keys["keys"][0]["restored"]),
        (&"73c5da0a".into(), &true.into())
    );
    let export = laptop.done(&["export", "--wallet", "old"]);
    assert!(export.get("birthday").is_none(), "when a restored wallet was first used is not known");
    assert_eq!(export["authority"], Value::Null);
    laptop.wallet("old");
    laptop.done(&["log", "--verify"]);
}

fn permitted(spend: &Spend, vault: policies::id::VaultId) -> Envelope {
    let now = cold_signer::vault::now();
    let request = Request {
        network: spend.network(),
        wallet: spend.wallet(),
        payment: 42,
        recipients: vec![Recipient { script: foreign(9), amount: Amount::from_sat(40_000_000) }],
        purpose: "salaries November".to_owned(),
        max_fee: Amount::from_sat(20_000),
        anchor: spend.anchor(),
        created: now,
        expires: now + 3_600,
        heads: vec![],
    };
    let statement = PermitStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        vaults: vec![PermitVault { vault, sequence: 1, previous: [0; 32] }],
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        outflow: spend.outflow(),
        fee: spend.fee(),
        request: request.id(),
        approvals: vec![],
        policy_version: 1,
        policy: authority().policy.id(),
        revocation_version: 0,
        anchor: spend.anchor(),
        replaces: vec![],
        issued_mtp: 0,
        issued: now,
        expires: now + 3_600,
    };
    let signature = sign(2, Namespace::Permit, &statement.to_bytes());
    let mut envelope = Envelope::default();
    envelope.insert(Kind::Permit, Permit { statement, signature }.to_bytes()).unwrap();
    let signature = Some(sign(1, Namespace::Request, &request.to_bytes()));
    envelope.insert(Kind::Request, SignedRequest { request, signature }.to_bytes()).unwrap();
    envelope
}

#[test]
fn a_key_under_an_authority_signs_with_its_permit_only() {
    let laptop = Laptop::new();
    let id = authority().id().to_string();
    std::fs::write(laptop.path("authority.pub"), armor()).unwrap();
    let (exit, refusal) =
        laptop.run(&["trust", "--authority", "authority.pub", "--confirm", &"0".repeat(64)]);
    assert_eq!((exit, code(&refusal)), (3, "other-authority"));
    let pinned = laptop.done(&["trust", "--authority", "authority.pub"]);
    assert_eq!(pinned["authority"]["id"], id.as_str());

    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    assert_eq!(laptop.done(&["export", "--wallet", "main"])["authority"], id.as_str());
    let wallet = laptop.wallet("main");
    let spend = laptop.write("salaries.psbt", &wallet, None);
    let (exit, review) = laptop.run(&["review", "salaries.psbt"]);
    assert_eq!((exit, review["verdict"].as_str()), (3, Some("refuse")));
    let consent = spend.id().to_string();
    assert_eq!(laptop.run(&["sign", "salaries.psbt", "--consent", &consent]).0, 3);

    let vault = laptop.done(&["keys"])["vault_id"].as_str().unwrap().parse().unwrap();
    let mut psbt = Psbt::deserialize(&std::fs::read(laptop.path("salaries.psbt")).unwrap()).unwrap();
    permitted(&spend, vault).write(&mut psbt);
    std::fs::write(laptop.path("salaries-permitted.psbt"), psbt.serialize()).unwrap();
    let review = laptop.done(&["review", "salaries-permitted.psbt"]);
    assert_eq!(review["permit"]["payment"], "P-0042");
    assert_eq!(review["permit"]["groups"][0], "payroll");
    laptop.done(&["sign", "salaries-permitted.psbt", "--consent", &consent]);
    assert_eq!(laptop.transaction("salaries-signed.psbt").compute_txid(), spend.unsigned_txid());
}
