//! The whole cycle from an empty folder, by the command lines that people and scripts rely on.

use airlock_tests::office::{Office, SUPPLIER, assert_keys};
use serde_json::json;

const STORE: &str = "vault.store";

/// The twelve words of BIP39's first test vector, whose keys are those of BIP84's and BIP86's vectors.
const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

#[test]
fn a_company_pays_from_an_empty_folder_to_a_clean_reconciliation() {
    let office = Office::open();
    if !office.found_company() {
        return;
    }
    let trusted = office.signer_done(STORE, "trust --authority gate/authority.pub");
    assert_keys(&trusted, &["authority", "permit_keys", "policy"]);
    office.found_node();
    assert_eq!(office.node("trust gate/authority.pub")["company"], "Two Friends GmbH");

    for (wallet, script) in [("savings", "wpkh"), ("taproot", "tr")] {
        let key = office.signer_done(
            STORE,
            &format!("new-key --wallet {wallet} --network regtest --script {script} --words-unseen"),
        );
        assert_eq!(key["authority"]["company"], "Two Friends GmbH");
        let export = office.signer_done(STORE, &format!("export --wallet {wallet} -o {wallet}.json"));
        let keys =
            ["wallet", "network", "fingerprint", "external", "internal", "birthday", "vault_id", "audit_key"];
        assert_keys(&export, &keys);
        office.gate(&format!("vault add {wallet}.json"));
        office.node(&format!("wallet import {wallet} --file {wallet}.json"));

        let issued = office.node(&format!("address {wallet}"));
        let verified =
            office.signer_done(STORE, &format!("address --wallet {wallet} --index {}", issued["index"]));
        assert_eq!(issued["address"], verified["address"], "node and vault derive the same");
        let address = issued["address"].as_str().unwrap();
        let funded = office.node(&format!("regtest fund {address} 2btc"));
        assert_eq!(funded["amount_sat"], 200_000_000);
        office.node("regtest mine 1");
        office.node("sync");
        let balance = office.node(&format!("balance {wallet}"));
        assert_keys(&balance, &["confirmed_sat", "pending_sat", "reserved_sat", "total_sat"]);
        assert_eq!(balance["confirmed_sat"], 200_000_000);
    }

    for (number, wallet) in [(1, "savings"), (2, "taproot")] {
        let name = format!("P-{number:04}");
        let pay = office.node(&format!(
            "pay {wallet} --to {SUPPLIER}=0.4btc --feerate 5 --purpose rent -o {wallet}.psbt"
        ));
        assert_eq!(pay["payment"], name);
        assert_keys(&pay, &["spend_id", "unsigned_txid", "fee_sat", "change_sat"]);
        office.done(&format!("gatekeeper request {wallet}.psbt --key desk -o {wallet}-request.psbt"));
        let checked = office.gate(&format!("check {wallet}-request.psbt"));
        assert_keys(&checked, &["verdict"]);
        unproven_amounts_get_no_permit(&office, wallet);
        let permitted = office.gate(&format!("submit {wallet}-request.psbt -o {wallet}-permitted.psbt"));
        assert_eq!(permitted["verdict"], "permitted");

        let review = office.signer_done(STORE, &format!("review {wallet}-permitted.psbt"));
        assert_keys(
            &review,
            &["verdict", "spend_id", "recipients", "change_sat", "fee_sat", "checks", "permit"],
        );
        assert_eq!(review["verdict"], "clean", "{review}");
        assert_eq!(review["spend_id"], pay["spend_id"]);
        assert_eq!(review["recipients"][0]["address"], SUPPLIER);
        assert_eq!(review["permit"]["payment"], name);
        let spend = review["spend_id"].as_str().unwrap();
        let signed = office.signer_done(
            STORE,
            &format!("sign {wallet}-permitted.psbt --consent {spend} -o {wallet}-signed.psbt"),
        );
        assert_eq!(signed["spend_id"], pay["spend_id"]);
        assert_eq!(signed["signatures"], 1);

        let inspected = office.done(&format!("psbt-tools inspect {wallet}-signed.psbt --network regtest"));
        let keys = ["sha256", "psbt_version", "network", "unsigned_txid", "inputs", "outputs", "fee_sat"];
        assert_keys(&inspected, &keys);
        assert_keys(&inspected, &["feerate_sat_per_vb", "external_sat", "checks", "verdict"]);

        let submitted = office.node(&format!("submit {wallet}-signed.psbt"));
        assert_eq!(submitted["submitted"][0]["payment"], name);
        let again = office.node(&format!("submit {wallet}-signed.psbt"));
        assert_eq!(again["submitted"][0]["txid"], submitted["submitted"][0]["txid"]);
    }
    office.node("regtest mine 6");
    office.node("sync");
    let payments = office.node("payments");
    for at in 0..2 {
        assert_eq!(payments["payments"][at]["confirmations"], 6, "{payments}");
    }
    let status = office.node("status");
    assert_keys(&status, &["network", "height", "tip", "scanned_from", "complete", "wallets"]);
    assert_eq!((&status["network"], &status["complete"]), (&json!("regtest"), &json!(true)));

    office.signer_done(STORE, "receipts -o receipts.json");
    let clean = office.node("reconcile --receipts receipts.json");
    assert_eq!(clean["spends"].as_array().unwrap().len(), 2, "{clean}");
    assert!(
        clean["spends"].as_array().unwrap().iter().all(|spend| spend["verdict"] == "authorised"),
        "{clean}"
    );
    office.signer_done(STORE, "log --verify");
    office.gate("log verify");
    let keys = office.signer_done(STORE, "keys");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_keys(&office.node("history savings"), &["history"]);
    assert_keys(&office.node("coins savings"), &["coins"]);
}

#[test]
fn one_person_pays_within_the_own_limit_and_not_beyond_it() {
    let office = Office::open();
    let key = office.signer_done(
        STORE,
        "new-key --wallet main --network regtest --script wpkh --words-unseen --limit 0.5btc/24h",
    );
    assert_eq!((&key["authority"], &key["limit"]["amount_sat"]), (&json!(null), &json!(50_000_000)));
    office.signer_done(STORE, "export --wallet main -o main.json");
    office.found_node();
    office.node("wallet import main --file main.json");
    office.fund("main", "1btc");
    office.fund("main", "1btc");

    office.node(&format!("pay main --to {SUPPLIER}=0.3btc --feerate 5 -o first.psbt"));
    office.node(&format!("pay main --to {SUPPLIER}=0.3btc --feerate 5 -o second.psbt"));
    // Both stand within the limit while nothing is signed; the window is judged again at signing.
    let second = office.spend_id(STORE, "second.psbt");
    office.sign(STORE, "first.psbt", "first-signed.psbt");
    let refused =
        office.signer(STORE, &format!("sign second.psbt --consent {second} -o second-signed.psbt --json"));
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_keys(&refused.json()["error"], &["code", "message", "hint"]);
    assert!(!office.path("second-signed.psbt").exists());

    office.node("submit first-signed.psbt");
    office.node("regtest mine 1");
    office.node("sync");
    office.signer_done(STORE, "receipts -o receipts.json");
    let clean = office.node("reconcile --receipts receipts.json");
    assert_eq!(clean["spends"][0]["verdict"], "authorised", "{clean}");
}

#[test]
fn known_words_restore_the_descriptors_of_bip84_and_bip86() {
    let office = Office::open();
    office.write("words", format!("{WORDS}\n"));
    // Restoring reveals nothing on a network that is up, so mainnet's vectors can be used as they stand.
    let native = office.signer_done(STORE, "restore --wallet main --script wpkh --words-file words");
    let taproot = office.signer_done(STORE, "restore --wallet other --script tr --words-file words");
    // BIP84's vector is the same key in its zpub form; this is its xpub.
    let account = "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V";
    assert_eq!(native["fingerprint"], "73c5da0a");
    let external = native["external"].as_str().unwrap();
    assert!(external.starts_with(&format!("wpkh([73c5da0a/84'/0'/0']{account}/0/*)#")), "{external}");
    // BIP86's vector.
    let account = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";
    let internal = taproot["internal"].as_str().unwrap();
    assert!(internal.starts_with(&format!("tr([73c5da0a/86'/0'/0']{account}/1/*)#")), "{internal}");
    let first = office.signer_done(STORE, "address --wallet main --index 0");
    assert_eq!(first["address"], "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
    assert_eq!(first["path"], "m/84'/0'/0'/0/0");
}

/// A permit reserves coins for ever, so it needs their amounts proven, of taproot as well.
fn unproven_amounts_get_no_permit(office: &Office, wallet: &str) {
    let mut psbt = bitcoin::Psbt::deserialize(&office.read(&format!("{wallet}-request.psbt"))).unwrap();
    for input in &mut psbt.inputs {
        input.non_witness_utxo = None;
    }
    let damaged = office.run(&told(office, wallet, &psbt));
    assert_eq!((damaged.code, &damaged.json()["error"]["code"]), (3, &json!("damaged")), "{damaged:?}");
    // Whoever changes it on purpose leaves no manifest.
    psbt_tools::manifest::remove(&mut psbt);
    let said = office.run(&told(office, wallet, &psbt));
    assert_eq!((said.code, &said.json()["error"]["code"]), (3, &json!("C01")), "{said:?}");
}

/// The command that submits this.
fn told(office: &Office, wallet: &str, psbt: &bitcoin::Psbt) -> String {
    office.write(&format!("{wallet}-unproven.psbt"), psbt.serialize());
    format!("gatekeeper submit {wallet}-unproven.psbt -o {wallet}-unproven-permitted.psbt --data gate --json")
}

/// A restore that is refused leaves a store that still opens: nothing unreadable became durable.
#[test]
fn a_refused_restore_leaves_the_store_as_it_was() {
    let office = Office::open();
    office.write("words", format!("{WORDS}\n"));
    let restore = |wallet: &str, network: &str| {
        format!("restore --wallet {wallet} --network {network} --script wpkh --words-file words")
    };
    office.signer_done(STORE, &restore("practice", "regtest"));
    let before = office.read(STORE);
    let deceptive = "sav\u{200b}ings";
    let long = "n".repeat(101);
    for (claim, line) in [
        ("a name with an invisible character", restore(deceptive, "testnet4")),
        ("a name that is too long", restore(&long, "testnet4")),
        ("the same key on another test network", restore("again", "signet")),
        ("a name that is taken", restore("practice", "bitcoin")),
    ] {
        let said = office.signer(STORE, &line);
        assert_eq!(said.code, 3, "{claim}: {said:?}");
        assert!(said.stderr.contains("hint: "), "{claim}: {said:?}");
        assert_eq!(office.read(STORE), before, "{claim}");
    }
    assert_eq!(office.signer_done(STORE, "keys")["keys"].as_array().unwrap().len(), 1);
}
