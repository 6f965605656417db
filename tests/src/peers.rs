//! Other people's wallets: embit, BDK and Electrum by the scripts in `tests/peers`, Bitcoin Core by RPC. Files go
//! between them as base64.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, Transaction};
use serde_json::{Value, json};

use crate::bitcoind::Bitcoind;
use crate::programs::root;

/// A descriptor pair without multipath, public or with secret keys in it.
#[derive(Debug, Clone)]
pub struct Descriptors {
    /// `/0/*`
    pub external: String,
    /// `/1/*`
    pub internal: String,
}

impl Descriptors {
    /// From one text in which `/B/` stands for the branch.
    pub fn of(template: &str) -> Self {
        Self { external: template.replace("/B/", "/0/"), internal: template.replace("/B/", "/1/") }
    }

    /// The same with one cosigner's secret key in it.
    #[must_use]
    pub fn with_secret(&self, key: &Key) -> Self {
        let with_secret = |text: &str| text.replace(&key.public, &key.secret);
        Self { external: with_secret(&self.external), internal: with_secret(&self.internal) }
    }
}

/// An account key with its origin, as descriptors write it.
#[derive(Debug, Clone)]
pub struct Key {
    /// `[fingerprint/path]tpub`
    pub public: String,
    /// `[fingerprint/path]tprv`
    pub secret: String,
}

/// A coin at an external address of the wallet.
#[derive(Debug, Clone)]
pub struct Coin {
    /// The transaction that made it.
    pub transaction: Transaction,
    /// Which of its outputs.
    pub vout: u32,
    /// The index of its address.
    pub index: u32,
}

/// A payment that spends all of its coins.
#[derive(Debug)]
pub struct Payment<'a> {
    /// What it spends.
    pub coins: &'a [Coin],
    /// Whom it pays.
    pub to: &'a str,
    /// How much they get.
    pub amount: Amount,
    /// What the miner gets; the rest comes back to the wallet.
    pub fee: Amount,
    /// The version of the file: 0 (BIP174), or 2 (BIP370), which Core and embit write.
    pub psbt_version: u8,
}

/// A wallet that somebody else wrote. Whatever it refuses is a panic with its own words.
pub trait Peer {
    /// Its name.
    fn name(&self) -> &'static str;

    /// The address at an index of a descriptor.
    fn address(&self, descriptor: &str, index: u32) -> String;

    /// The unsigned file of a payment.
    fn create(&self, wallet: &Descriptors, payment: &Payment<'_>) -> String;

    /// The file with the signatures of every secret key in the descriptors, and how long that took.
    fn sign(&self, wallet: &Descriptors, psbt: &str) -> (String, Duration);

    /// One file with the signatures of all.
    fn combine(&self, psbts: &[String]) -> String;

    /// The network transaction; `None` while signatures are missing.
    fn finalize(&self, wallet: &Descriptors, psbt: &str) -> Option<Transaction>;
}

/// Every peer that is to be had; a missing one is said aloud.
pub fn all(core: &Bitcoind) -> Vec<Box<dyn Peer + '_>> {
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(Core { core, highest_index: 999 })];
    for name in ["embit", "bdk", "electrum"] {
        if let Some(peer) = Script::find(name) {
            peers.push(Box::new(peer));
        }
    }
    peers
}

/// A peer that a Python script speaks for.
pub struct Script {
    name: &'static str,
    python: PathBuf,
}

impl Script {
    /// `embit`, `bdk` or `electrum`; `None`, said aloud, where it is not installed.
    pub fn find(name: &'static str) -> Option<Self> {
        let found = Command::new(root().join("tests/peers/install"))
            .arg("--find")
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success());
        let python =
            found.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
        let module = if name == "bdk" { "bdkpython" } else { name };
        let peer = python.filter(|python| {
            let import = Command::new(python).args(["-c", &format!("import {module}")]).output();
            import.is_ok_and(|output| output.status.success())
        });
        if peer.is_none() {
            eprintln!("skipped: no {name} (tests/peers/install makes an environment with the peers)");
        }
        peer.map(|python| Self { name, python })
    }

    /// An account key of a seed.
    ///
    /// # Panics
    /// When the peer is not embit: the others take words only.
    pub fn key(&self, seed: [u8; 64], path: &str) -> Key {
        let seed: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = self.ask(&json!({"do": "key", "seed": seed, "path": path}));
        Key { public: text(&key["public"]), secret: text(&key["secret"]) }
    }

    fn ask(&self, request: &Value) -> Value {
        let script = root().join(format!("tests/peers/{}_peer.py", self.name));
        let mut child = Command::new(&self.python)
            .arg("-B")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut input = child.stdin.take().expect("its standard input");
        input.write_all(request.to_string().as_bytes()).expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} does not {}: {said}", self.name, request["do"]);
        serde_json::from_slice(&output.stdout).expect("one JSON object")
    }
}

impl Peer for Script {
    fn name(&self) -> &'static str {
        self.name
    }

    fn address(&self, descriptor: &str, index: u32) -> String {
        text(&self.ask(&json!({"do": "address", "descriptor": descriptor, "index": index}))["address"])
    }

    fn create(&self, wallet: &Descriptors, payment: &Payment<'_>) -> String {
        let coins: Vec<_> = payment
            .coins
            .iter()
            .map(|coin| {
                json!({"transaction": serialize_hex(&coin.transaction), "vout": coin.vout, "index": coin.index})
            })
            .collect();
        let created = self.ask(&json!({
            "do": "create", "external": wallet.external, "internal": wallet.internal, "coins": coins,
            "to": payment.to, "amount": payment.amount.to_sat(), "fee": payment.fee.to_sat(),
            "psbt_version": payment.psbt_version,
        }));
        text(&created["psbt"])
    }

    fn sign(&self, wallet: &Descriptors, psbt: &str) -> (String, Duration) {
        let signed = self.ask(&json!({
            "do": "sign", "external": wallet.external, "internal": wallet.internal, "psbt": psbt,
        }));
        (text(&signed["psbt"]), Duration::from_secs_f64(signed["seconds"].as_f64().expect("seconds")))
    }

    fn combine(&self, psbts: &[String]) -> String {
        text(&self.ask(&json!({"do": "combine", "psbts": psbts}))["psbt"])
    }

    fn finalize(&self, wallet: &Descriptors, psbt: &str) -> Option<Transaction> {
        let final_ = self.ask(&json!({"do": "finalize", "psbt": psbt, "external": wallet.external}));
        final_["transaction"].as_str().map(|hex| deserialize_hex(hex).expect("a transaction"))
    }
}

/// Bitcoin Core without a wallet: descriptors go in with each call.
pub struct Core<'a> {
    /// The node.
    pub core: &'a Bitcoind,
    /// The highest index that it derives: each call derives every index up to it.
    pub highest_index: u32,
}

impl Core<'_> {
    fn with_range(&self, descriptors: &[&String]) -> String {
        let ranged = |text: &&String| json!({"desc": text, "range": self.highest_index});
        json!(descriptors.iter().map(ranged).collect::<Vec<_>>()).to_string()
    }
}

impl Peer for Core<'_> {
    fn name(&self) -> &'static str {
        "core"
    }

    fn address(&self, descriptor: &str, index: u32) -> String {
        let info = self.core.rpc("getdescriptorinfo", &[descriptor]);
        let descriptor = text(&info["descriptor"]);
        let addresses = self.core.rpc("deriveaddresses", &[&descriptor, &format!("[{index},{index}]")]);
        text(&addresses[0])
    }

    /// Core takes previous transactions from its mempool, so the coins must still wait there.
    fn create(&self, wallet: &Descriptors, payment: &Payment<'_>) -> String {
        let inputs: Vec<_> = payment
            .coins
            .iter()
            .map(|coin| json!({"txid": coin.transaction.compute_txid().to_string(), "vout": coin.vout}))
            .collect();
        let output = |coin: &Coin| coin.transaction.output[usize::try_from(coin.vout).expect("small")].value;
        let spent: Amount = payment.coins.iter().map(output).sum();
        let amount = |amount: Amount| amount.to_string_in(bitcoin::Denomination::Bitcoin);
        let outputs = json!([
            {payment.to: amount(payment.amount)},
            {self.address(&wallet.internal, 0): amount(spent - payment.amount - payment.fee)},
        ]);
        let arguments = [
            &json!(inputs).to_string(),
            &outputs.to_string(),
            "0",
            "true",
            "2",
            &payment.psbt_version.to_string(),
        ];
        let psbt = text(&self.core.rpc("createpsbt", &arguments));
        let descriptors = self.with_range(&[&wallet.external, &wallet.internal]);
        text(&self.core.rpc("utxoupdatepsbt", &[&psbt, &descriptors]))
    }

    fn sign(&self, wallet: &Descriptors, psbt: &str) -> (String, Duration) {
        let descriptors = self.with_range(&[&wallet.external]);
        let begun = Instant::now();
        let signed =
            self.core.rpc("descriptorprocesspsbt", &[psbt, &descriptors, "DEFAULT", "true", "false"]);
        (text(&signed["psbt"]), begun.elapsed())
    }

    fn combine(&self, psbts: &[String]) -> String {
        text(&self.core.rpc("combinepsbt", &[&json!(psbts).to_string()]))
    }

    fn finalize(&self, _: &Descriptors, psbt: &str) -> Option<Transaction> {
        let final_ = self.core.rpc("finalizepsbt", &[psbt]);
        final_["hex"].as_str().map(|hex| deserialize_hex(hex).expect("a transaction"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
