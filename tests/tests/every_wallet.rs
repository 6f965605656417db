//! One row for every kind of wallet: funded, paid from, signed by every signer that it needs, submitted, and mined by a real
//! Bitcoin Core, by the command lines that people use.

use std::time::Instant;

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::funding::Fund;
use airlock_tests::office::{Office, SUPPLIER};
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Amount, Network, Psbt, Transaction, TxOut, Txid};
use policies::wallet::{Branch, Keypath, Wallet};
use serde_json::Value;

/// What each coin of a wallet is worth.
const COIN: Amount = Amount::from_sat(1_000_000);

/// What stays over for the fee at 2 sat/vB, in satoshi for each input; the rest of it comes back as change.
const LEFT_SAT: u64 = 4_000;

/// Opens the hash lock.
const PREIMAGE: [u8; 32] = [42; 32];

/// BIP341's point H, whose discrete logarithm nobody knows.
const NOBODY: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

/// A kind of wallet and one way of spending it.
struct Row {
    /// What the keys are made for.
    keys: &'static str,
    /// The descriptor over `A`, `B` and `C`; empty where one key makes the wallet.
    descriptor: &'static str,
    /// Which path is taken; the default where none is named.
    path: Option<usize>,
    /// Who signs, in this order: each vault has one store.
    signers: &'static [&'static str],
    /// Whether each signer gets the file that the one before has signed; else all get the request.
    in_turn: bool,
    /// Blocks on top of the coins before they are spent.
    age: u32,
    /// Whether a hash lock is opened.
    preimage: bool,
    /// Whether the file is finalised before it is submitted, as other wallets do by themselves; 200 inputs always are.
    finalised: bool,
    /// Whether 200 inputs are spent in every run; else only where `AIRLOCK_LONG` is set.
    many: bool,
}

const SHARED: Row = Row {
    keys: "multi",
    descriptor: "",
    path: None,
    signers: &["A", "B"],
    in_turn: false,
    age: 0,
    preimage: false,
    finalised: false,
    many: false,
};

const SINGLE: Row = Row { signers: &["A"], ..SHARED };

/// A test for each row.
macro_rules! rows {
    ($($name:ident: $row:expr;)*) => {$(
        #[test]
        fn $name() {
            walk(stringify!($name), &$row);
        }
    )*};
}

rows! {
    pkh_is_paid_from: Row { keys: "pkh", ..SINGLE };
    sh_wpkh_is_paid_from: Row { keys: "sh-wpkh", ..SINGLE };
    wpkh_is_paid_from: Row { keys: "wpkh", finalised: true, ..SINGLE };
    tr_is_paid_from: Row { keys: "tr", ..SINGLE };
    sh_multi_is_paid_from: Row { descriptor: "sh(multi(2,A,B,C))", signers: &["C", "A"], ..SHARED };
    sh_sortedmulti_is_paid_from: Row { descriptor: "sh(sortedmulti(2,A,B))", in_turn: true, ..SHARED };
    wsh_multi_is_paid_from: Row {
        keys: "wsh-multi", descriptor: "wsh(multi(2,A,B,C))", signers: &["B", "A"], ..SHARED
    };
    wsh_sortedmulti_is_paid_from: Row {
        keys: "wsh-multi", descriptor: "wsh(sortedmulti(2,A,B,C))", signers: &["A", "C"], in_turn: true, many: true,
        ..SHARED
    };
    sh_wsh_sortedmulti_is_paid_from: Row {
        keys: "sh-wsh-multi", descriptor: "sh(wsh(sortedmulti(2,A,B,C)))", finalised: true, ..SHARED
    };
    tr_with_a_multi_a_leaf_is_paid_from: Row {
        descriptor: "tr(NOBODY,multi_a(2,A,B,C))", signers: &["C", "B"], many: true, ..SHARED
    };
    tr_with_leaves_is_paid_from_by_its_key: Row { descriptor: "tr(A,{pk(B),pk(C)})", signers: &["A"], ..SHARED };
    tr_with_leaves_is_paid_from_by_a_leaf: Row {
        descriptor: "tr(A,{pk(B),and_v(v:pk(C),older(5))})", signers: &["B"], finalised: true, ..SHARED
    };
    a_tr_leaf_with_a_timelock_is_paid_from: Row {
        descriptor: "tr(A,{pk(B),and_v(v:pk(C),older(5))})", path: Some(3), signers: &["C"], age: 4, ..SHARED
    };
    the_owner_of_a_wallet_with_recovery_pays: Row {
        keys: "wsh-multi", descriptor: "wsh(or_d(pk(A),and_v(v:pkh(B),older(10))))", signers: &["A"], ..SHARED
    };
    the_recovery_key_pays_once_coins_are_old: Row {
        keys: "wsh-multi", descriptor: "wsh(or_d(pk(A),and_v(v:pkh(B),older(10))))", path: Some(2), signers: &["B"],
        age: 9, ..SHARED
    };
    a_recovery_by_height_pays_once_it_is_reached: Row {
        keys: "wsh-multi", descriptor: "wsh(or_d(multi(2,A,B),and_v(v:pkh(C),after(130))))", path: Some(2),
        signers: &["C"], age: 28, ..SHARED
    };
    a_hash_lock_is_opened: Row {
        keys: "wsh-multi", descriptor: "wsh(and_v(v:pk(A),and_v(v:pk(B),sha256(HASH))))", preimage: true, ..SHARED
    };
}

fn walk(name: &str, row: &Row) {
    let Some(core) = Bitcoind::start() else { return };
    let office = Office::open();
    let fund = Fund::open(&core, 1);
    office.node(&format!(
        "init --network regtest --chain core --url {} --cookie-file {}",
        core.url(),
        core.cookie().display()
    ));
    let wallet = match row.descriptor {
        "" => single(&office, row.keys),
        descriptor => shared(&office, row, descriptor),
    };
    let long = std::env::var_os("AIRLOCK_LONG").is_some();
    let counts: &[usize] = if row.many || long { &[1, 200] } else { &[1] };
    let total = counts.iter().sum();
    let coins = give(&fund, &wallet, total);
    office.node("sync");
    if row.age > 0 {
        closed_until_then(&office, row, &coins);
        fund.mine(row.age);
        office.node("sync");
    }
    let mut rest = coins.as_slice();
    for count in counts {
        let (spent, others) = rest.split_at(*count);
        rest = others;
        let begun = Instant::now();
        let transaction = pay(&core, &office, row, spent);
        fund.mine(1);
        assert!(core.block(None).txdata.contains(&transaction), "{name} {count} is mined");
        office.node("sync");
        let payments = office.node("payments");
        let payment = payments["payments"].as_array().unwrap().last().unwrap();
        assert_eq!(payment["state"], "confirmed", "{payment}");
        assert_eq!(payment["txid"], transaction.compute_txid().to_string());
        eprintln!("{name}: {count} inputs, {} vB, {:.1?}", transaction.vsize(), begun.elapsed());
    }
    assert_eq!(office.node("reconcile")["verdict"], "clean");
}

/// A wallet of one key, vouched for by its vault.
fn single(office: &Office, script: &str) -> Wallet {
    let told = office.session("A", &[new_key(script), "export --wallet main -o A.json".to_owned()]);
    watched(office, "A", &told[1])
}

fn new_key(script: &str) -> String {
    format!("new-key --wallet main --network regtest --script {script} --words-unseen")
}

/// A wallet of three keys at three vaults, registered at all that sign.
fn shared(office: &Office, row: &Row, template: &str) -> Wallet {
    let mut descriptor = template.replace("NOBODY", NOBODY);
    for store in ["A", "B", "C"] {
        let told =
            office.session(store, &[new_key(row.keys), format!("export --wallet main -o key-{store}.json")]);
        let key = told[1]["key"].as_str().unwrap_or_else(|| panic!("{told:?}"));
        descriptor = replaced(&descriptor, store, &format!("{key}/<0;1>/*"));
    }
    let descriptor = descriptor.replace("HASH", &sha256::Hash::hash(&PREIMAGE).to_string());
    let wallet =
        Wallet::new(Network::Regtest, &[&descriptor]).unwrap_or_else(|error| panic!("{descriptor}: {error}"));
    let mut vaults = 0;
    for store in row.signers {
        let register =
            format!("register --wallet main --descriptor \"{descriptor}\" --consent {}", wallet.id());
        let told = office.session(store, &[register, format!("export --wallet main -o {store}.json")]);
        assert_eq!(watched(office, store, &told[1]), wallet);
        vaults += 1;
    }
    let listed = office.node("wallet list");
    assert_eq!(listed["wallets"][0]["vaults"].as_array().unwrap().len(), vaults);
    assert_eq!(listed["wallets"][0]["wallet_id"], wallet.id().to_string());
    wallet
}

/// A capital letter of a template, where it stands for a key.
fn replaced(template: &str, letter: &str, key: &str) -> String {
    let mut text = String::new();
    for part in template.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (word, end) = part.split_at(part.len() - 1);
        text.push_str(if word == letter { key } else { word });
        text.push_str(end);
    }
    text
}

/// What a vault has exported, watched.
fn watched(office: &Office, store: &str, export: &Value) -> Wallet {
    office.node(&format!("wallet import main --file {store}.json"));
    let descriptors = ["external", "internal"].map(|branch| export[branch].as_str().unwrap().to_owned());
    Wallet::new(Network::Regtest, &descriptors).unwrap()
}

/// So many coins at as many addresses, confirmed.
fn give(fund: &Fund<'_>, wallet: &Wallet, count: usize) -> Vec<String> {
    let output = |index| TxOut {
        value: COIN,
        script_pubkey: wallet.script(Keypath { branch: Branch::External, index }).unwrap(),
    };
    let txid: Txid = fund.pay((0..u32::try_from(count).unwrap()).map(output).collect()).compute_txid();
    fund.mine(1);
    (0..count).map(|vout| format!("{txid}:{vout}")).collect()
}

/// Before a path's time has come, it says when that will be.
fn closed_until_then(office: &Office, row: &Row, coins: &[String]) {
    let path = row.path.unwrap();
    let said = office.run(&format!(
        "watch-node pay main --to {SUPPLIER}=0.005btc --feerate 2 --path {path} -o early.psbt --data node --json"
    ));
    assert_eq!((said.code, said.json()["error"]["code"].as_str()), (3, Some("path-closed")), "{said:?}");
    let paths = office.node("wallet paths main");
    let listed = &paths["paths"][path - 1];
    assert_eq!(listed["waiting_coins"], coins.len());
    let opens = paths["height"].as_u64().unwrap() + u64::from(row.age);
    assert_eq!(listed["next_height"], opens, "{paths}");
    assert!(said.stderr.contains(&format!("from block {opens} on")), "{said:?}");
}

/// One payment of exactly these coins, from the request to the mempool.
fn pay(core: &Bitcoind, office: &Office, row: &Row, coins: &[String]) -> Transaction {
    let count = coins.len();
    let inputs = u64::try_from(count).unwrap();
    let sat = (COIN.to_sat() - LEFT_SAT) * inputs;
    let named: String = coins.iter().map(|coin| format!(" --coin {coin}")).collect();
    let path = row.path.map_or_else(String::new, |path| format!(" --path {path}"));
    let name = format!("pay-{count}");
    let told =
        office.node(&format!("pay main --to {SUPPLIER}={sat}sat --feerate 2{path}{named} -o {name}.psbt"));
    let spend = told["spend_id"].as_str().unwrap();
    let mut before = format!("{name}.psbt");
    let mut signed = Vec::new();
    for store in row.signers {
        let file = format!("{name}-{store}.psbt");
        let answer = office.signer_done(store, &format!("sign {before} --consent {spend} -o {file}"));
        assert!(answer["signatures"].as_u64().unwrap() >= inputs, "{answer}");
        if row.in_turn {
            before = file.clone();
        }
        signed.push(file);
    }
    if row.preimage {
        let hex: String = PREIMAGE.iter().map(|byte| format!("{byte:02x}")).collect();
        office.write("preimage", hex);
    }
    let submitted = submit(office, row, &told, &signed);
    let txid = submitted["submitted"][0]["txid"].as_str().unwrap().to_owned();
    let raw = core.rpc("getrawtransaction", &[&txid]);
    let transaction: Transaction =
        bitcoin::consensus::encode::deserialize_hex(raw.as_str().unwrap()).unwrap();
    assert_eq!(transaction.input.len(), count);
    let fee = told["fee_sat"].as_u64().unwrap();
    assert!(fee >= 2 * u64::try_from(transaction.vsize()).unwrap(), "the size was an upper bound");
    transaction
}

/// The files one after the other; before the last one, it is said who is missing.
fn submit(office: &Office, row: &Row, told: &Value, signed: &[String]) -> Value {
    let payment = told["payment"].as_str().unwrap();
    let (last, before) = signed.split_last().unwrap();
    let skipped = if row.in_turn { before.len().saturating_sub(1) } else { 0 };
    for file in before.iter().skip(skipped) {
        let said = office.run(&format!("watch-node submit {file} --data node --json"));
        assert_eq!(
            (said.code, said.json()["error"]["code"].as_str()),
            (4, Some("signatures-missing")),
            "{said:?}"
        );
        assert_eq!(said.json()["waiting"][0]["payment"], payment);
        let listed = office.node(&format!("payments show {payment}"));
        assert_eq!(listed["state"], "partly-signed");
        assert_eq!(listed["cosigning"]["signed"].as_array().unwrap().len(), 1, "{listed}");
        let abandoned = office.run(&format!("watch-node payments abandon {payment} --data node --json"));
        assert_eq!(abandoned.json()["error"]["code"], "under-way");
    }
    let mut options = String::new();
    if row.preimage {
        let said = office.run(&format!("watch-node submit {last} --data node --json"));
        assert_eq!(
            (said.code, said.json()["waiting"][0]["preimage_missing"].as_bool()),
            (4, Some(true)),
            "{said:?}"
        );
        options = " --preimage-file preimage".to_owned();
    }
    if row.finalised || told["inputs"].as_u64().unwrap() > 1 {
        return office.node(&format!("submit {}", finalised(office, row, signed)));
    }
    office.node(&format!("submit {last}{options}"))
}

/// One file of all of them, that says only what the network needs.
fn finalised(office: &Office, row: &Row, signed: &[String]) -> String {
    let last = signed.last().unwrap();
    let mut whole = last.clone();
    if signed.len() > 1 && !row.in_turn {
        whole = format!("all-{last}");
        let said = office.run(&format!("psbt-tools combine {} -o {whole}", signed.join(" ")));
        assert_eq!(said.code, 0, "{said:?}");
    }
    let file = format!("final-{last}");
    let said = office.run(&format!("psbt-tools finalize {whole} -o {file}"));
    assert_eq!(said.code, 0, "{said:?}");
    let psbt = Psbt::deserialize(&office.read(&file)).unwrap();
    assert!(
        psbt.inputs.iter().all(|input| input.bip32_derivation.is_empty() && input.tap_key_origins.is_empty())
    );
    file
}

#[test]
fn a_company_with_two_vaults_and_a_foreign_cosigner_pays() {
    let office = Office::open();
    if !office.found_company() {
        return;
    }
    office.found_node();
    office.node("trust gate/authority.pub");
    let stranger = Xpriv::new_master(Network::Regtest, &[9; 32]).unwrap();
    let mut keys = vec![cosigner_key(&stranger)];
    for store in ["A", "B"] {
        office.signer_done(store, "trust --authority gate/authority.pub");
        office.signer_done(
            store,
            "new-key --wallet savings --network regtest --script wsh-multi --words-unseen",
        );
        let export = office.signer_done(store, &format!("export --wallet savings -o key-{store}.json"));
        keys.push(export["key"].as_str().unwrap().to_owned());
    }
    let [stranger_key, a, b] = keys.try_into().unwrap();
    let descriptor = format!("wsh(sortedmulti(2,{a}/<0;1>/*,{b}/<0;1>/*,{stranger_key}/<0;1>/*))");
    let wallet = Wallet::new(Network::Regtest, &[&descriptor]).unwrap();
    for store in ["A", "B"] {
        let line = format!("register --wallet savings --descriptor {descriptor} --consent {}", wallet.id());
        office.signer_done(store, &line);
        office.signer_done(store, &format!("export --wallet savings -o {store}.json"));
        office.gate(&format!("vault add {store}.json"));
        let imported = office.node(&format!("wallet import savings --file {store}.json"));
        assert_eq!(imported["vault_added"], store == "B");
        assert_eq!(
            office.node(&format!("wallet import savings --file {store}.json"))["imported_before"],
            true
        );
    }
    office.fund("savings", "2btc");

    // One of ours and the stranger, both files at once.
    office.permit("savings", "0.4btc", "one");
    office.sign("A", "one-permitted.psbt", "one-A.psbt");
    let mut psbt = Psbt::deserialize(&office.read("one-permitted.psbt")).unwrap();
    psbt.sign(&stranger, &Secp256k1::new()).unwrap();
    office.write("one-S.psbt", psbt.serialize());
    assert_eq!(office.node("submit one-S.psbt one-A.psbt")["submitted"][0]["payment"], "P-0001");
    settle(&office);

    // Both of ours, one after the other; the second vault has not seen the first permit.
    office.permit("savings", "0.3btc", "two");
    office.sign("A", "two-permitted.psbt", "two-A.psbt");
    let said = office.run("watch-node submit two-A.psbt --data node --json");
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.stderr.contains("payments export P-0002 --with-signatures"), "{said:?}");
    assert_eq!(said.json()["waiting"][0]["paths"][0]["needed"], 1);
    office.node("payments export P-0002 --with-signatures -o two-for-B.psbt");
    office.sign("B", "two-for-B.psbt", "two-B.psbt");
    office.node("submit two-B.psbt");
    settle(&office);

    for store in ["A", "B"] {
        office.signer_done(store, &format!("receipts -o receipts-{store}.json"));
    }
    let told = office.node("reconcile --receipts receipts-A.json --receipts receipts-B.json");
    assert_eq!(told["verdict"], "clean", "{told}");
    office.node("facts -o facts.bin");
    let told =
        office.gate("reconcile --facts facts.bin --receipts receipts-A.json --receipts receipts-B.json");
    assert_eq!(told["verdict"], "clean", "{told}");
    for permit in told["permits"].as_array().unwrap() {
        assert_eq!(permit["state"], "settled", "{permit}");
    }
}

/// Signing changes the txids of these wallets' payments: gatekeeper and node know them again by what they spend and pay.
#[test]
fn a_company_s_legacy_wallets_settle_and_their_fees_are_raised() {
    let office = Office::open();
    if !office.found_company() {
        return;
    }
    office.found_node();
    office.node("trust gate/authority.pub");
    office.signer_done("A", "trust --authority gate/authority.pub");
    // The policy's two wallets are called so.
    for (name, script, number) in [("savings", "pkh", 1), ("taproot", "sh-wpkh", 2)] {
        let line = format!("new-key --wallet {name} --network regtest --script {script} --words-unseen");
        office.signer_done("A", &line);
        office.signer_done("A", &format!("export --wallet {name} -o {name}.json"));
        office.gate(&format!("vault add {name}.json"));
        office.node(&format!("wallet import {name} --file {name}.json"));
        office.fund(name, "2btc");

        let pay = format!("pay {name} --to {SUPPLIER}=0.4btc --feerate 5 --max-fee 50000sat -o {name}.psbt");
        office.node(&pay);
        office.done(&format!("gatekeeper request {name}.psbt --key desk -o {name}-request.psbt"));
        office.gate(&format!("submit {name}-request.psbt -o {name}-permitted.psbt"));
        office.sign("A", &format!("{name}-permitted.psbt"), &format!("{name}-signed.psbt"));
        let first = office.node(&format!("submit {name}-signed.psbt"));
        office.node("sync");
        office.node(&format!("bump P-{number:04} --feerate 30 -o {name}-2.psbt"));
        office.gate(&format!("submit {name}-2.psbt -o {name}-2-permitted.psbt"));
        office.sign("A", &format!("{name}-2-permitted.psbt"), &format!("{name}-2-signed.psbt"));
        let second = office.node(&format!("submit {name}-2-signed.psbt"));
        settle(&office);

        let payment = office.node(&format!("payments show P-{number:04}"));
        let txid = &second["submitted"][0]["txid"];
        assert_eq!((&payment["state"], &payment["txid"]), (&"settled".into(), txid));
        assert_ne!(payment["unsigned_txid"], *txid);
        assert_eq!(payment["attempts"][0]["replaced_by"], *txid);
        assert_ne!(first["submitted"][0]["txid"], *txid);
        assert_eq!(office.node(&format!("balance {name}"))["reserved_sat"], 0);
        assert_eq!(office.node("reconcile")["verdict"], "clean");
        office.node(&format!("facts -o {name}.facts"));
        let told = office.gate(&format!("reconcile --facts {name}.facts"));
        assert_eq!(told["verdict"], "clean", "{told}");
        let permits = told["permits"].as_array().unwrap();
        let states = permits[permits.len() - 2..].iter().map(|permit| permit["state"].as_str().unwrap());
        assert_eq!(states.collect::<Vec<_>>(), ["replaced", "settled"], "{told}");
        assert_eq!(permits.last().unwrap()["txid"], *txid);
    }
}

/// A cosigner's key as a foreign wallet shows it (BIP48).
fn cosigner_key(master: &Xpriv) -> String {
    let secp = Secp256k1::new();
    let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
    let account = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
    format!("[{}/48h/1h/0h/2h]{account}", master.fingerprint(&secp))
}

fn settle(office: &Office) {
    office.node("regtest mine 6");
    office.node("sync");
}
