//! Console, reader and vault as real processes: from a new key to a transaction that anybody can verify.

mod common;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Psbt, ScriptBuf};
use common::authority::{armor, authority, sign};
use common::foreign;
use common::laptop::{Laptop, code};
use policies::approval::Approval;
use policies::codec::Canonical;
use policies::id::VaultId;
use policies::identity::Namespace;
use policies::permit::{Permit, PermitStatement, PermitVault, Receipt};
use policies::request::{Recipient, Request, SignedRequest};
use policies::spend::{Spend, SpendOutput, SpendParts};
use psbt_tools::display::words_of;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::{Value, json};

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
        assert_eq!(review["words"], words_of(&document));

        let (exit, refusal) = laptop.run(&["sign", &request]);
        assert_eq!((exit, code(&refusal)), (4, "no-consent"));
        let (exit, refusal) = laptop.run(&["sign", &request, "--consent", &"0".repeat(64)]);
        assert_eq!((exit, code(&refusal)), (3, "other-spend"));
        assert!(!laptop.path(&signed).exists());

        let consent = spend.id().to_string();
        let done = laptop.done(&["sign", &request, "--consent", &consent]);
        assert_eq!((&done["signatures"], &done["signed_before"]), (&1.into(), &false.into()));
        let written = std::fs::read(laptop.path(&signed)).unwrap();
        assert_eq!((&done["sha256"], &done["words"]), (&review["sha256"], &review["words"]));
        assert_eq!(done["out_sha256"], bitcoin::hashes::sha256::Hash::hash(&written).to_string());
        assert_eq!(done["out_words"], words_of(&written));
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

/// Request and permit, approvals by these keys, and facts that nobody here looks at.
fn permitted(spend: &Spend, vault: VaultId, approvers: &[u8]) -> Envelope {
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
        replaces: vec![],
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
        dead: vec![],
        heads: vec![],
        issued_mtp: now,
        issued: now,
        expires: now + 3_600,
    };
    let signature = sign(2, Namespace::Permit, &statement.to_bytes());
    let mut envelope = Envelope::default();
    envelope.insert(Kind::Permit, Permit { statement, signature, trails: vec![] }.to_bytes()).unwrap();
    for n in approvers {
        let signature = sign(*n, Namespace::Approve, request.approval_text().as_bytes());
        let approval = Approval { request: request.id(), signature };
        envelope.insert(Kind::Approval, approval.to_bytes()).unwrap();
    }
    envelope.insert(Kind::Facts, b"facts".to_vec()).unwrap();
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
    permitted(&spend, vault, &[3]).write(&mut psbt);
    std::fs::write(laptop.path("one-approval.psbt"), psbt.serialize()).unwrap();
    let (exit, refusal) = laptop.run(&["sign", "one-approval.psbt", "--consent", &consent]);
    assert_eq!((exit, code(&refusal)), (3, "approvals-missing"));
    assert_eq!(refusal["error"]["message"], "`Large` needs 1 more of `ben`");
    permitted(&spend, vault, &[3, 4]).write(&mut psbt);
    std::fs::write(laptop.path("salaries-permitted.psbt"), psbt.serialize()).unwrap();
    let review = laptop.done(&["review", "salaries-permitted.psbt"]);
    assert_eq!(review["permit"]["payment"], "P-0042");
    assert_eq!(review["permit"]["groups"][0], "payroll");
    let mut by: Vec<_> = review["approvals"].as_array().unwrap().iter().map(|one| &one["by"]).collect();
    by.sort_by_key(|name| name.to_string());
    assert_eq!(by, ["anna", "ben"]);
    assert!(review["permit"]["bitcoin_time"].as_u64().unwrap() > 0);
    laptop.done(&["sign", "salaries-permitted.psbt", "--consent", &consent]);
    assert_eq!(laptop.transaction("salaries-signed.psbt").compute_txid(), spend.unsigned_txid());
    let signed = Psbt::deserialize(&std::fs::read(laptop.path("salaries-signed.psbt")).unwrap()).unwrap();
    let envelope = Envelope::read(&signed).unwrap();
    assert_eq!(envelope.get(Kind::Facts).collect::<Vec<_>>(), [b"facts"]);
    assert_eq!((envelope.get(Kind::Approval).count(), envelope.get(Kind::Receipt).count()), (2, 1));
}

#[test]
fn a_replacement_is_shown_as_one_and_asked_about() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let wallet = laptop.wallet("main");
    let first = laptop.write("first.psbt", &wallet, None);
    laptop.done(&["sign", "first.psbt", "--consent", &first.id().to_string()]);
    let (_, evidence) = common::spend(&wallet, None);
    let mut outputs = first.outputs().to_vec();
    outputs[1].value -= Amount::from_sat(5_000);
    let bumped = Spend::new(SpendParts {
        network: first.network(),
        wallet: first.wallet(),
        version: first.version(),
        lock_time: first.lock_time(),
        inputs: first.inputs().to_vec(),
        outputs,
    })
    .unwrap();
    let psbt = psbt_tools::build::build(&bumped, &evidence, &wallet).unwrap();
    std::fs::write(laptop.path("bump.psbt"), psbt.serialize()).unwrap();
    let review = laptop.done(&["review", "bump.psbt"]);
    assert_eq!(review["verdict"], "ask");
    assert_eq!(review["replaces"], json!([{"spend_id": first.id().to_string(), "fee_sat": 10_000}]));
    let consent = bumped.id().to_string();
    let (exit, refusal) = laptop.run(&["sign", "bump.psbt", "--consent", &consent]);
    assert_eq!((exit, code(&refusal)), (4, "not-accepted"));
    laptop.done(&["sign", "bump.psbt", "--consent", &consent, "--accept", "C05"]);
    assert_eq!(laptop.transaction("bump-signed.psbt").compute_txid(), bumped.unsigned_txid());
}

#[test]
fn a_folder_is_signed_in_one_visit_and_one_failure_stops_nothing_else() {
    let laptop = Laptop::new();
    for wallet in ["one", "two"] {
        laptop.done(&["new-key", "--wallet", wallet, "--network", "regtest"]);
    }
    std::fs::create_dir(laptop.path("stick")).unwrap();
    std::fs::create_dir(laptop.path("back")).unwrap();
    let mut consents = Vec::new();
    for wallet in ["one", "two"] {
        let spend = laptop.write(&format!("stick/{wallet}-request.psbt"), &laptop.wallet(wallet), None);
        consents.push(spend.id().to_string());
    }
    std::fs::write(laptop.path("stick/bad.psbt"), "hello").unwrap();
    std::fs::write(laptop.path("stick/letter.txt"), "hello").unwrap();
    let none = "0".repeat(64);
    let sign = ["sign", "stick", "-o", "back"];
    let all = [&sign[..], &["--consent", &consents[1], "--consent", &none]].concat();
    let (exit, said, told) = laptop.run_telling("passphrase", &all);
    assert_eq!((exit, code(&said)), (4, "no-consent"), "{said}");
    let errors: Vec<_> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    let [bad, unclaimed, request] = errors.as_slice() else { panic!("{told}") };
    assert!(bad.starts_with("error: stick/bad.psbt: "), "{told}");
    assert!(unclaimed.starts_with("error: no file that can be signed holds the spend 00000000"), "{told}");
    assert!(request.starts_with("error: stick/one-request.psbt: nobody consented"), "{told}");
    assert_eq!(said["files"][1]["error"]["message"].as_str().map(|text| text.contains("stick")), Some(false));
    let codes: Vec<_> = said["files"].as_array().unwrap().iter().map(code).collect();
    assert_eq!(codes, ["malformed", "no-consent", ""], "{said}");
    assert_eq!(said["files"][2]["spend_id"], consents[1].as_str());
    for total in said["totals"].as_array().unwrap() {
        let sums = (&total["files"], &total["outflow_sat"], &total["fee_sat"]);
        assert_eq!(sums, (&json!(1), &json!(40_010_000), &json!(10_000)), "{said}");
    }
    assert_eq!(said["totals"].as_array().unwrap().len(), 2);
    assert!(laptop.path("back/two-signed.psbt").exists() && !laptop.path("back/one-signed.psbt").exists());

    std::fs::remove_file(laptop.path("stick/bad.psbt")).unwrap();
    let rest = laptop.done(&[&sign[..], &["--consent", &consents[0]]].concat());
    assert_eq!(rest["files"].as_array().unwrap().len(), 1);
    assert_eq!(rest["left_out"][0]["reason"], "two-signed.psbt is there already");
    laptop.transaction("back/one-signed.psbt");
    let done = laptop.done(&sign);
    assert_eq!((done["files"].as_array().unwrap().len(), done["left_out"].as_array().unwrap().len()), (0, 2));
    let (exit, said) = laptop.run(&[&sign[..], &["--consent", &none]].concat());
    assert_eq!((exit, code(&said)), (3, "other-spend"), "{said}");
    let (exit, said) = laptop.run(&["sign", "stick", "-o", "nowhere"]);
    assert_eq!((exit, code(&said)), (2, "usage"), "{said}");
}
