//! A company in a temporary folder: keys, policy, ledger, one vault, and payments to ask for.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash};
use policies::authority::SignedAuthority;
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::identity::PublicKey;
use policies::permit::{Permit, vault_id};
use policies::request::{Recipient, Request, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, Wallet, export_text};
use psbt_tools::display::words_of;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

pub const DESCRIPTOR: &str = "wpkh([73c5da0a/84h/1h/0h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M/<0;1>/*)";

pub struct Office {
    pub folder: TempDir,
    pub wallet: Wallet,
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the error in the JSON object, and of each refusal.
    pub fn refusals(&self) -> Vec<String> {
        assert_eq!(self.code, 3, "{self:?}");
        let json = self.json();
        let code = |value: &Value| value["code"].as_str().unwrap().to_owned();
        let codes: Vec<_> = json["refusals"].as_array().unwrap().iter().map(code).collect();
        assert_eq!(json["verdict"], "refused");
        assert_eq!(code(&json["error"]), codes[0]);
        codes
    }

    /// Exit code and the code of the error.
    pub fn code(&self) -> (i32, String) {
        (self.code, self.json()["error"]["code"].as_str().unwrap().to_owned())
    }

    /// The message of the error.
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// A payment that somebody may ask for.
#[derive(Clone)]
pub struct Payment {
    pub number: u32,
    pub coin: u32,
    /// Coins of 1 BTC besides that one.
    pub more_coins: Vec<u32>,
    pub recipients: Vec<TxOut>,
    pub fee: u64,
    pub expires: u64,
}

impl Payment {
    /// Spends a coin of 1 BTC of its own.
    pub fn new(number: u32, sat: u64) -> Self {
        let to = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]));
        Self {
            number,
            coin: number,
            more_coins: vec![],
            recipients: vec![TxOut { value: Amount::from_sat(sat), script_pubkey: to }],
            fee: 10_000,
            // The year 2100.
            expires: 4_102_444_800,
        }
    }
}

impl Payment {
    /// The same to another address, told apart by this number.
    pub fn to(mut self, address: u8) -> Self {
        self.recipients[0].script_pubkey =
            ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([address; 20]));
        self
    }
}

impl Office {
    /// Everything up to the first payment; `None`, said aloud, where OpenSSH is not installed.
    pub fn open() -> Option<Self> {
        let office = Self::without_ledger()?;
        office.found();
        Some(office)
    }

    pub fn without_vault() -> Option<Self> {
        let office = Self::without_ledger()?;
        office.run(&["init", "--policy", "policy.toml", "--permit-key", "permit"]).done();
        Some(office)
    }

    pub fn without_ledger() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Wallet::new(Network::Regtest, &[DESCRIPTOR]).unwrap();
        let office = Self { folder, wallet };
        for name in ["desk", "stranger", "permit", "audit", "audit-2"] {
            if !office.keygen(name) {
                eprintln!("skipped: ssh-keygen is not installed");
                return None;
            }
        }
        let policy = include_str!("../policies/company.toml");
        let line = policy.lines().find(|line| line.starts_with("desk = ")).unwrap();
        office.write("policy.toml", policy.replace(line, &format!("desk = \"{}\"", office.key("desk"))));
        Some(office)
    }

    /// A company whose managers and board must agree above sums; the desk and anna may ask.
    pub fn with_managers() -> Option<Self> {
        let office = Self::without_ledger()?;
        let mut policy = include_str!("../policies/managers.toml")
            .replace("network = \"testnet\"", "network = \"regtest\"")
            .replace("replacement = \"no\"\n", "")
            .replace(
                "requesters = \"desk\"\nwallet = \"savings\"\nto",
                "requesters = [\"desk\", \"anna\"]\nwallet = \"savings\"\nto",
            );
        for name in ["anna", "ben", "carl"] {
            office.keygen(name);
        }
        for name in ["desk", "anna", "ben", "carl"] {
            let start = format!("{name} = ");
            let line = policy.lines().find(|line| line.starts_with(&start)).unwrap().to_owned();
            policy = policy.replace(&line, &format!("{start}\"{}\"", office.key(name)));
        }
        office.write("policy.toml", policy);
        office.found();
        Some(office)
    }

    /// A ledger under the policy file, and its vault.
    pub fn found(&self) {
        self.run(&["init", "--policy", "policy.toml", "--permit-key", "permit"]).done();
        self.vault("audit", "savings.json");
        self.run(&["vault", "add", "savings.json"]).done();
    }

    fn keygen(&self, name: &str) -> bool {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(self.path(name))
            .status();
        made.is_ok_and(|status| status.success())
    }

    /// How many events the ledger has.
    pub fn events(&self) -> u64 {
        self.run_json(&["log", "verify"]).done().json()["events"].as_u64().unwrap()
    }

    /// The words of a file, as every program must tell them.
    pub fn words(&self, name: &str) -> String {
        words_of(&std::fs::read(self.path(name)).unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn key(&self, name: &str) -> PublicKey {
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().parse().unwrap()
    }

    pub fn sign(&self, key: &str, namespace: &str, message: impl AsRef<[u8]>) -> String {
        self.write("message", message);
        let output = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f"])
            .arg(self.path(key))
            .stdin(std::fs::File::open(self.path("message")).unwrap())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The identifier of this gatekeeper's authority.
    pub fn authority(&self) -> String {
        let text = std::fs::read_to_string(self.path("ledger/authority.pub")).unwrap();
        SignedAuthority::from_armor(&text).unwrap().authority.id().to_string()
    }

    /// The export of a vault with this audit key, whose key obeys this gatekeeper.
    pub fn export(&self, key: &str) -> Value {
        self.export_obeying(key, Some(&self.authority()))
    }

    pub fn export_obeying(&self, key: &str, authority: Option<&str>) -> Value {
        let external = self.wallet.descriptor(Branch::External);
        let internal = self.wallet.descriptor(Branch::Internal);
        let authority = authority.map(|id| id.parse().unwrap());
        let message = export_text(Network::Regtest, "savings", (&external, &internal), Some(1), authority);
        json!({
            "wallet": "savings",
            "network": "regtest",
            "fingerprint": "73c5da0a",
            "external": external,
            "internal": internal,
            "birthday": 1,
            "authority": authority.map(|id| id.to_string()),
            "vault_id": vault_id(&self.key(key)).to_string(),
            "audit_key": self.key(key).to_string(),
            "signature": self.sign(key, "airlock-export", &message),
        })
    }

    pub fn vault(&self, key: &str, name: &str) {
        self.write(name, self.export(key).to_string());
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatekeeper"));
        command.current_dir(self.folder.path()).args(["--data", "ledger"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    pub fn run_json(&self, arguments: &[&str]) -> Said {
        let mut all = arguments.to_vec();
        all.push("--json");
        self.run(&all)
    }

    /// What the error looks like to a person, without the folder's name.
    pub fn error(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.stdout, "");
        let folder = self.folder.path().display().to_string();
        format!(
            "$ gatekeeper {}\n{}exit {}\n",
            arguments.join(" "),
            said.stderr.replace(&folder, "…"),
            said.code
        )
    }

    pub fn spend(&self, payment: &Payment) -> (Spend, Evidence) {
        let own = Keypath { branch: Branch::External, index: 0 };
        let change = Keypath { branch: Branch::Internal, index: 3 };
        let value = Amount::ONE_BTC;
        let coins = || [payment.coin].into_iter().chain(payment.more_coins.iter().copied());
        let previous: Vec<_> = coins()
            .map(|coin| Transaction {
                version: Version::TWO,
                lock_time: LockTime::from_consensus(coin),
                input: vec![TxIn::default()],
                output: vec![TxOut { value, script_pubkey: self.wallet.script(own).unwrap() }],
            })
            .collect();
        let paid: Amount = payment.recipients.iter().map(|output| output.value).sum();
        let back = value * u64::try_from(previous.len()).unwrap() - paid - Amount::from_sat(payment.fee);
        let mut outputs: Vec<_> = payment
            .recipients
            .iter()
            .map(|output| SpendOutput {
                value: output.value,
                script: output.script_pubkey.clone(),
                own: None,
            })
            .collect();
        outputs.push(SpendOutput {
            value: back,
            script: self.wallet.script(change).unwrap(),
            own: Some(change),
        });
        let spend = Spend::new(SpendParts {
            network: Network::Regtest,
            wallet: self.wallet.id(),
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            inputs: previous
                .iter()
                .map(|previous| SpendInput {
                    outpoint: OutPoint { txid: previous.compute_txid(), vout: 0 },
                    sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                    value,
                    keypath: own,
                })
                .collect(),
            outputs,
        })
        .unwrap();
        (spend, Evidence::new(previous))
    }

    /// The coin of this number.
    pub fn coin(&self, coin: u32) -> OutPoint {
        let (spend, _) = self.spend(&Payment { coin, ..Payment::new(coin, 1_000) });
        spend.inputs()[0].outpoint
    }

    pub fn request(&self, payment: &Payment) -> Request {
        Request {
            network: Network::Regtest,
            wallet: self.wallet.id(),
            payment: payment.number,
            recipients: payment
                .recipients
                .iter()
                .map(|output| Recipient { script: output.script_pubkey.clone(), amount: output.value })
                .collect(),
            purpose: "invoice 7".to_owned(),
            max_fee: Amount::from_sat(20_000),
            anchor: self.coin(payment.coin),
            created: 1,
            expires: payment.expires,
            heads: vec![],
            replaces: vec![],
        }
    }

    /// Adds a document to a file.
    pub fn add_document(&self, name: &str, kind: Kind, bytes: Vec<u8>) {
        let mut psbt = bitcoin::Psbt::deserialize(&std::fs::read(self.path(name)).unwrap()).unwrap();
        let mut envelope = Envelope::read(&psbt).unwrap();
        envelope.insert(kind, bytes).unwrap();
        envelope.replace(Kind::Manifest, vec![]).unwrap();
        envelope.write(&mut psbt);
        self.write(name, psbt.serialize());
    }

    /// A PSBT of one payment with the request of another, unsigned.
    pub fn unsigned(&self, payment: &Payment, request: Request, name: &str) {
        self.file(payment, &SignedRequest { request, signature: None }, name);
    }

    pub fn file(&self, payment: &Payment, request: &SignedRequest, name: &str) {
        let (spend, evidence) = self.spend(payment);
        let mut psbt = psbt_tools::build::build(&spend, &evidence, &self.wallet).unwrap();
        let mut envelope = Envelope::default();
        envelope.insert(Kind::Request, request.to_bytes()).unwrap();
        envelope.write(&mut psbt);
        self.write(name, psbt.serialize());
    }

    /// A file as the desk signed it.
    pub fn requested(&self, payment: &Payment, name: &str) {
        self.requested_by("desk", payment, name);
    }

    pub fn requested_by(&self, key: &str, payment: &Payment, name: &str) {
        self.requested_as(key, payment, self.request(payment), name);
    }

    /// A payment with a request of its own making.
    pub fn requested_as(&self, key: &str, payment: &Payment, request: Request, name: &str) {
        let draft = format!("{name}.draft");
        self.unsigned(payment, request, &draft);
        self.run(&["request", &draft, "--key", key, "-o", name]).done();
    }

    pub fn documents(&self, name: &str, kind: Kind) -> Vec<Vec<u8>> {
        let psbt = bitcoin::Psbt::deserialize(&std::fs::read(self.path(name)).unwrap()).unwrap();
        Envelope::read(&psbt).unwrap().get(kind).map(<[u8]>::to_vec).collect()
    }

    pub fn permit(&self, name: &str) -> Permit {
        let [bytes]: [_; 1] = self.documents(name, Kind::Permit).try_into().unwrap();
        Permit::from_bytes(&bytes).unwrap()
    }

    pub fn signed_request(&self, name: &str) -> SignedRequest {
        let [bytes]: [_; 1] = self.documents(name, Kind::Request).try_into().unwrap();
        SignedRequest::from_bytes(&bytes).unwrap()
    }

    pub fn exists(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }
}

pub fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
