//! Wallet descriptions of other programs: each is read as the wallet it is, and every change that makes it another one or
//! none is refused.

use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::{Message as Digest, Secp256k1};
use bitcoin::{Address, Network, base58};
use policies::message::Message;
use policies::message::bip137::{KeyAddress, digest, signature_bytes};
use policies::wallet::{Branch, Keypath, Wallet, WalletKind};
use psbt_tools::wallet_file::bip388::Policy;
use psbt_tools::wallet_file::bsms::{KeyRecord, Token};
use psbt_tools::wallet_file::{Format, WalletFile, bsms, coldcard, read};
use serde_json::json;
use std::process::{Command, Output};

const PATH: &str = "m/48'/1'/0'/2'";

/// A cosigner's key of a seed of equal bytes: fingerprint, private and public account key.
struct Cosigner {
    fingerprint: String,
    private: Xpriv,
    xpub: Xpub,
}

impl Cosigner {
    fn new(seed: u8) -> Self {
        let secp = Secp256k1::new();
        let master = Xpriv::new_master(Network::Regtest, &[seed; 32]).unwrap();
        let private = master.derive_priv(&secp, &PATH.parse::<DerivationPath>().unwrap()).unwrap();
        Self {
            fingerprint: master.fingerprint(&secp).to_string(),
            xpub: Xpub::from_priv(&secp, &private),
            private,
        }
    }

    fn key(&self) -> String {
        format!("[{}/48'/1'/0'/2']{}", self.fingerprint, self.xpub)
    }

    /// The public key with other version bytes (SLIP-132).
    fn with_version(&self, version: [u8; 4]) -> String {
        let mut bytes = self.xpub.encode();
        bytes[..4].copy_from_slice(&version);
        base58::encode_check(&bytes)
    }
}

const UPPER_VPUB: [u8; 4] = [0x02, 0x57, 0x54, 0x83];
const UPPER_UPUB: [u8; 4] = [0x02, 0x42, 0x89, 0xef];

fn cosigners() -> [Cosigner; 3] {
    [1, 2, 3].map(Cosigner::new)
}

fn multi(kind: &str) -> String {
    let keys = cosigners().map(|cosigner| format!("{}/<0;1>/*", cosigner.key()));
    kind.replace("KEYS", &keys.join(","))
}

fn wallet(descriptor: &str) -> Wallet {
    Wallet::new(Network::Regtest, &[descriptor]).unwrap()
}

/// The wallet of two of three in P2WSH that most tests are about.
fn usual() -> Wallet {
    wallet(&multi("wsh(sortedmulti(2,KEYS))"))
}

fn accepted(text: &str, format: Format) -> WalletFile {
    let file = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(file.format, format);
    file
}

fn refused(text: &str) -> String {
    let error =
        read(text.as_bytes()).and_then(|file| file.wallet(Network::Regtest).map(|_| file)).expect_err(text);
    assert_eq!((error.exit_code(), error.code().as_str()), (3, "malformed"));
    assert!(!error.hint().unwrap().is_empty());
    error.to_string()
}

fn same(file: &WalletFile, expected: &Wallet) {
    assert_eq!(file.wallet(Network::Regtest).unwrap().id(), expected.id());
    assert!(file.wallet(Network::Bitcoin).is_err());
}

fn coldcard_text() -> String {
    let mut text =
        format!("# made by hand\nName: Cold\nPolicy: 2 of 3\nDerivation: {PATH}\nFormat: P2WSH\n\n");
    for cosigner in cosigners() {
        text += &format!("{}: {}\r\n", cosigner.fingerprint.to_uppercase(), cosigner.xpub);
    }
    text
}

#[test]
fn coldcard_files_are_read_and_written() {
    let text = coldcard_text();
    let file = accepted(&text, Format::Coldcard);
    same(&file, &usual());
    assert_eq!((file.name.as_deref(), file.notes.len()), (Some("Cold"), 0));
    let written = coldcard::write(&usual(), "Cold").unwrap();
    same(&accepted(&written, Format::Coldcard), &usual());
    assert!(written.contains("Policy: 2 of 3\nFormat: P2WSH\n"));
    let nested = wallet(&multi("sh(wsh(sortedmulti(2,KEYS)))"));
    same(&accepted(&text.replace("P2WSH", "P2WSH-P2SH"), Format::Coldcard), &nested);
    same(&accepted(&coldcard::write(&nested, "x").unwrap(), Format::Coldcard), &nested);
    assert!(
        coldcard::write(&wallet(&multi("wsh(multi(2,KEYS))")), "x").is_none(),
        "its keys are always sorted"
    );

    let [a, ..] = cosigners();
    let converted = text.replace(&a.xpub.to_string(), &a.with_version(UPPER_VPUB));
    let file = accepted(&converted, Format::Coldcard);
    same(&file, &usual());
    assert!(file.notes[0].contains("Vpub (SLIP-132)"), "{:?}", file.notes);
    for (from, to, why) in [
        ("2 of 3", "2 of 4", "3 are listed"),
        ("2 of 3", "0 of 3", "policy of 0"),
        ("2 of 3", "+2 of 3", "not like"),
        ("Format: P2WSH\n", "", "no line `Format"),
        ("Format: P2WSH\n", "Format: P2TR\n", "none of P2SH"),
        ("Format: P2WSH\n", "Format: P2WSH\nFormat: P2SH\n", "said twice"),
        ("/2'\n", "\n", "4 steps below"),
        ("Name:", "Title:", "not known"),
        (&a.xpub.to_string(), &a.with_version(UPPER_UPUB), "Upub"),
        (&a.xpub.to_string(), "tpubDC", "mistyped"),
    ] {
        let error = refused(&text.replace(from, to));
        assert!(error.starts_with("Coldcard multisig file: ") && error.contains(why), "{error}");
    }
}

#[test]
fn electrum_wallets_are_read_by_the_prefix_of_their_keys() {
    let store = |cosigner: &Cosigner| {
        json!({"type": "bip32", "xpub": cosigner.with_version(UPPER_VPUB), "derivation": PATH,
               "root_fingerprint": cosigner.fingerprint})
    };
    let [a, b, c] = cosigners();
    let file = json!({"wallet_type": "2of3", "use_encryption": false, "seed_version": 17,
                      "x1/": store(&a), "x2/": store(&b), "x3/": store(&c)});
    same(&accepted(&file.to_string(), Format::Electrum), &usual());
    let number = u32::from_str_radix(&a.fingerprint, 16).unwrap().swap_bytes();
    let mut old = file.clone();
    old["x1/"].as_object_mut().unwrap().remove("root_fingerprint");
    old["x1/"]["ckcc_xfp"] = json!(number);
    same(&accepted(&old.to_string(), Format::Electrum), &usual());

    let edited = |at: &str, value: serde_json::Value| {
        let mut file = file.clone();
        *file.pointer_mut(at).unwrap() = value;
        file.to_string()
    };
    for (text, why) in [
        (edited("/x2~1", json!(null)), "`xpub` is missing"),
        (edited("/wallet_type", json!("2of4")), "x4 is missing"),
        (edited("/wallet_type", json!("imported")), "neither"),
        (edited("/use_encryption", json!(true)), "password"),
        (edited("/x1~1/xpub", json!(a.xpub.to_string())), "different kinds"),
        (edited("/x1~1/derivation", json!("m/48'/1'/0'")), "4 steps below"),
        (edited("/x1~1/root_fingerprint", json!(null)), "no fingerprint"),
        (edited("/x1~1/type", json!({"seed": "wild father"})), "private key or a seed"),
    ] {
        let error = refused(&text);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn sparrow_specter_core_and_our_own_json_are_read() {
    let [a, b, c] = cosigners();
    let store = |cosigner: &Cosigner| {
        json!({"label": "key", "source": "SW_WATCH", "extendedPublicKey": cosigner.xpub.to_string(),
               "keyDerivation": {"masterFingerprint": cosigner.fingerprint, "derivationPath": PATH}})
    };
    let sparrow = json!({"name": "Treasury", "policyType": "MULTI", "scriptType": "P2WSH",
        "defaultPolicy": {"name": "Default", "miniscript": {"script": "wsh(sortedmulti(2,key1,key2,key3))"}},
        "keystores": [store(&a), store(&b), store(&c)]});
    let file = accepted(&sparrow.to_string(), Format::Sparrow);
    same(&file, &usual());
    assert_eq!(file.name.as_deref(), Some("Treasury"));
    assert!(refused(&sparrow.to_string().replace("sortedmulti(", "thresh(")).contains("how many"));
    assert!(refused(&sparrow.to_string().replace("P2WSH", "P2TR")).contains("does not fit"));
    assert!(refused(&sparrow.to_string().replace("MULTI", "CUSTOM")).contains("neither of one key"));

    let receive = multi("wsh(sortedmulti(2,KEYS))").replace("<0;1>", "0");
    let bare = receive.replace("/0/*", "");
    for descriptor in [&receive, &bare] {
        let file = accepted(
            &json!({"label": "x", "blockheight": 0, "descriptor": descriptor}).to_string(),
            Format::Specter,
        );
        same(&file, &usual());
        assert_eq!(file.notes.len(), 1, "what was completed is said");
    }
    let mixed = receive.replacen("/0/*", "/1/*", 1);
    assert!(refused(&json!({"descriptor": mixed}).to_string()).contains("receiving branch"));
    let half = receive.replacen("/0/*", "", 1);
    assert!(refused(&json!({"descriptor": half}).to_string()).contains("some of its keys"));

    let change = receive.replace("/0/*", "/1/*");
    let entry = |desc: &str, internal: bool| json!({"desc": desc, "active": true, "internal": internal});
    let core =
        |entries: &[serde_json::Value]| json!({"wallet_name": "w", "descriptors": entries}).to_string();
    same(&accepted(&core(&[entry(&change, true), entry(&receive, false)]), Format::Core), &usual());
    let three = core(&[entry(&change, true), entry(&receive, false), entry(&receive, false)]);
    assert!(refused(&three).contains("lists 3"));
    assert!(refused(&core(&[entry(&receive, false)])).contains("found 1"));

    let export = json!({"wallet": "main", "network": "regtest", "vault_id": "00", "external": receive, "internal": change});
    let file = accepted(&export.to_string(), Format::Export);
    same(&file, &usual());
    assert_eq!(file.network, Some(Network::Regtest));
    assert!(file.wallet(Network::Signet).unwrap_err().to_string().contains("it is of regtest"));
    let key =
        json!({"wallet": "main", "network": "regtest", "vault_id": "00", "key": a.key(), "external": null});
    assert!(refused(&key.to_string()).contains("cosigner's key"));
}

#[test]
fn policies_and_records_of_every_kind_of_wallet_come_back() {
    let h = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
    let [a, b, _] = cosigners().map(|cosigner| cosigner.key());
    for (descriptor, policies, record) in [
        (multi("wsh(sortedmulti(2,KEYS))"), true, true),
        (multi("sh(wsh(multi(2,KEYS)))"), true, true),
        (multi("sh(sortedmulti(1,KEYS))"), true, true),
        (format!("tr({a}/<0;1>/*,and_v(v:pk({b}/<0;1>/*),older(10)))"), true, true),
        (format!("tr({h},multi_a(1,{a}/<0;1>/*,{b}/<0;1>/*))"), false, false),
        (format!("wsh(or_i(and_v(v:pkh({a}/<2;3>/*),older(10)),pk({a}/<0;1>/*)))"), true, false),
        (format!("wsh(multi(2,{a}/7/<0;1>/*,{b}/<0;1>/*))"), false, false),
    ] {
        let wallet = wallet(&descriptor);
        assert_eq!(Policy::of(&wallet).is_some(), policies, "{descriptor}");
        assert_eq!(bsms::write(&wallet).is_some(), record, "{descriptor}");
        if let Some(policy) = Policy::of(&wallet) {
            same(&accepted(&policy.to_json("x").to_string(), Format::Policy), &wallet);
        }
        if let Some(record) = bsms::write(&wallet) {
            same(&accepted(&record, Format::Bsms), &wallet);
        }
    }
}

#[test]
fn policies_that_break_a_rule_are_refused() {
    let keys: Vec<String> = cosigners().iter().map(Cosigner::key).collect();
    let policy = |template: &str, keys: &[String]| json!({"policy": template, "keys": keys}).to_string();
    let two = "wsh(sortedmulti(1,@0/**,@1/**))";
    assert!(read(policy(two, &keys[..2]).as_bytes()).is_ok());
    let mut ranged = keys[..2].to_vec();
    ranged[1] += "/0/*";
    let mut disguised = keys[..2].to_vec();
    disguised[1] = keys[0].replace("/2']", "/9']");
    for (template, keys, why) in [
        (two, &keys[..], "3 keys are listed"),
        (two, &keys[..1], "no key @1"),
        (two, &ranged, "path after the key"),
        (two, &disguised, "listed twice"),
        ("wsh(sortedmulti(1,@1/**,@0/**))", &keys[..2], "@1 stands before @0"),
        ("wsh(sortedmulti(1,@0/**,@0/**))", &keys[..1], "@0/0/* stands twice"),
        ("wsh(sortedmulti(1,@0/<0;1>/*,@0/<1;2>/*))", &keys[..1], "@0/1/* stands twice"),
        ("wsh(sortedmulti(1,@0/<1;1>/*,@1/**))", &keys[..2], "same branch"),
        ("wsh(sortedmulti(1,@00/**,@1/**))", &keys[..2], "/**"),
        ("wsh(sortedmulti(1,@0/<0;01>/*,@1/**))", &keys[..2], "/**"),
        ("wsh(sortedmulti(1,@0/<0;1>/*/5,@1/**))", &keys[..2], "/**"),
        ("wsh(sortedmulti(1,@0/<0h;1>/*,@1/**))", &keys[..2], "/**"),
        ("wsh(multi(1,@0/**,[00000000]xpub))", &keys[..1], "key or a checksum of its own"),
        (
            "wsh(multi(1,@0/**,02e493dbf1c10d80f3581e4904930b1404cc6c13900ee0758474fa94abe8c4cd13))",
            &keys[..1],
            "no placeholder",
        ),
        ("tr(musig(@0,@1)/**)", &keys[..2], "musig()"),
    ] {
        let error = refused(&policy(template, keys));
        assert!(error.contains(why), "{template}: {error}");
    }
    let double = json!({"policy": two, "template": two, "keys": &keys[..2]}).to_string();
    assert!(refused(&double).contains("two names"));
}

#[test]
fn c09_a_wallet_that_counts_one_key_twice_is_refused() {
    let [a, b, _] = cosigners().map(|cosigner| cosigner.key());
    let descriptor = |a_again: &str| format!("wsh(sortedmulti(2,{a}/<0;1>/*,{b}/<0;1>/*,{a_again}))");
    let policy = "wsh(sortedmulti(2,@0/**,@1/**,@0/<2;3>/*))";
    for text in [
        descriptor(&format!("{a}/<2;3>/*")),
        descriptor(&format!("{}/<0;1>/*", a.replace("/2']", "/9']"))),
        json!({"policy": policy, "keys": [&a, &b]}).to_string(),
        json!({"label": "x", "descriptor": descriptor(&format!("{a}/<2;3>/*"))}).to_string(),
    ] {
        let error = read(text.as_bytes()).unwrap().wallet(Network::Regtest).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("C09", 3), "{text}: {error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn changed_records_are_refused() {
    let record = bsms::write(&usual()).unwrap();
    let script = usual().script(Keypath { branch: Branch::External, index: 0 }).unwrap();
    let [address, other_network] = [Network::Regtest, Network::Bitcoin]
        .map(|network| Address::from_script(&script, network).unwrap().to_string());
    for (from, to, why) in [
        ("BSMS 1.0", "BSMS 1.1", "first line"),
        ("sortedmulti(2", "sortedmulti(1", "first address"),
        ("/0/*,/1/*", "/1/*,/0/*", "first address"),
        ("/0/*,/1/*", "No path restrictions", "no paths are given"),
        ("/0/*,/1/*", "/0/*", "not two branches"),
        ("/0/*,/1/*", "/0h/*,/1h/*", "not two branches"),
        ("/**", "/0/*", "not all of its keys"),
        ("bcrt1", "bcrt2", "no address"),
        (&address, &other_network, "different networks"),
    ] {
        let error = refused(&record.replacen(from, to, 1));
        assert!(error.contains(why), "{error}");
    }
    assert!(refused(&format!("{record}\nmore\n")).contains("round 1"));
}

/// A key record as a signer makes it (BIP129, round 1).
fn key_record(cosigner: &Cosigner, token: &Token, description: &str) -> KeyRecord {
    let secp = Secp256k1::new();
    let text = KeyRecord::text_to_sign(token, &cosigner.key(), description).unwrap();
    let digest = Digest::from_digest(digest(&Message::new(text).unwrap()));
    let (id, compact) =
        secp.sign_ecdsa_recoverable(&digest, &cosigner.private.private_key).serialize_compact();
    let id = u8::try_from(id.to_i32()).unwrap();
    let signature = signature_bytes(KeyAddress::P2pkh, id, &compact).unwrap();
    KeyRecord::new(token.clone(), &cosigner.key(), description, signature).unwrap()
}

#[test]
fn a_coordinator_makes_the_wallet_of_signed_key_records_only() {
    let records = cosigners().map(|cosigner| key_record(&cosigner, &Token::NONE, "mine"));
    let made = |threshold, records: &[KeyRecord]| {
        bsms::coordinate(Network::Regtest, WalletKind::Wsh, threshold, records)
    };
    assert_eq!(made(2, &records).unwrap(), usual());
    assert!(made(4, &records).is_err() && made(0, &records).is_err());
    let twice = [records[0].clone(), records[0].clone()];
    let error = made(1, &twice).unwrap_err();
    assert_eq!(error.code(), "C09");
    assert!(error.to_string().contains("stands twice"));
    assert!(bsms::coordinate(Network::Bitcoin, WalletKind::Wsh, 2, &records).is_err());
    assert!(bsms::coordinate(Network::Regtest, WalletKind::Tr, 2, &records).is_err());
    let [a, b, _] = cosigners();
    let stolen = records[0].text().replace(&a.key(), &b.key());
    assert!(KeyRecord::parse(&stolen).unwrap_err().to_string().contains("not by its key"));
    assert!(KeyRecord::text_to_sign(&Token::NONE, &a.key(), "two\nlines").is_err());
    assert!(KeyRecord::text_to_sign(&Token::NONE, &a.xpub.to_string(), "no origin").is_err());
}

fn run(folder: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_psbt-tools")).current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn the_commands_show_convert_and_coordinate() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, cosigner) in ["a.bsms", "b.bsms", "c.bsms"].iter().zip(cosigners()) {
        std::fs::write(at(name), key_record(&cosigner, &Token::NONE, name).text()).unwrap();
    }
    let made = run(
        folder.path(),
        &[
            "multisig",
            "--threshold",
            "2",
            "--network",
            "regtest",
            "a.bsms",
            "b.bsms",
            "c.bsms",
            "-o",
            "w.bsms",
        ],
    );
    assert!(made.status.success(), "{made:?}");
    let shown = run(folder.path(), &["wallet", "w.bsms", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["wallet_id"], usual().id().to_string());
    assert_eq!((shown["kind"].as_str(), shown["format"].as_str()), (Some("wsh"), Some("bsms")));
    let path = shown["paths"][0].as_str().unwrap();
    assert!(
        path.starts_with("2 of 3 (key 1 (") && path.contains(", key 3 ("),
        "numbered as at the vault: {path}"
    );
    assert_eq!(shown["words"].as_str().unwrap().split(' ').count(), 24);
    for (to, out) in [
        ("descriptor", "w.txt"),
        ("bip388", "w.json"),
        ("coldcard", "w.cc"),
        ("bsms", "w2.bsms"),
        ("core", "w.core"),
        ("specter", "w.specter"),
    ] {
        let written = run(folder.path(), &["wallet", "w.bsms", "--to", to, "-o", out]);
        assert!(written.status.success(), "{written:?}");
        let text = run(folder.path(), &["wallet", out, "--network", "regtest"]);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains(&usual().id().to_string()) && text.contains("key 2 "), "{text}");
    }
    // Its own JSON is read as well.
    std::fs::write(at("shown.json"), shown.to_string()).unwrap();
    let again = run(folder.path(), &["wallet", "shown.json"]);
    assert!(again.status.success(), "{again:?}");

    let unnamed = run(folder.path(), &["wallet", "w.txt", "--json"]);
    assert_eq!(unnamed.status.code(), Some(3));
    let refusal: serde_json::Value = serde_json::from_slice(&unnamed.stdout).unwrap();
    assert!(refusal["error"]["hint"].as_str().unwrap().contains("--network"), "{refusal}");
    let mainnet = run(folder.path(), &["wallet", "w.txt", "--network", "mainnet"]);
    assert_eq!(mainnet.status.code(), Some(3));
    let record = run(folder.path(), &["wallet", "a.bsms"]);
    assert!(String::from_utf8(record.stderr).unwrap().contains("psbt-tools multisig"));
}
