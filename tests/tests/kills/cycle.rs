//! One payment of a company on Bitcoin Core, step by step: how each step is run, what it leaves, and how a person goes
//! on after it was killed.

use std::sync::Mutex;

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::office::{Office, SUPPLIER, Said, copy_files, signer_line};
use bitcoin::{Psbt, consensus::encode::serialize_hex};
use policies::codec::Canonical;
use policies::permit::Permit;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nobody who takes part.
const MINER: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

const STORE: &str = "vault.store";

/// 0.4 BTC, as paid.
const PAID_SAT: u64 = 40_000_000;

/// Two block rewards.
const FUNDED_SAT: u64 = 10_000_000_000;

/// A command of the cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The node reads two blocks.
    Sync,
    /// It builds the payment.
    Pay,
    /// The desk signs the request.
    Request,
    /// The gatekeeper permits it.
    Permit,
    /// The vault signs it.
    Sign,
    /// The node broadcasts it.
    Submit,
    /// The node reads the six blocks upon it.
    Settle,
    /// The vault's receipts are written.
    Receipts,
    /// They are held against the chain.
    Reconcile,
    /// The end of the payment is shown.
    Payments,
}

/// All of them, in their order.
pub const STEPS: [Step; 10] = [
    Step::Sync,
    Step::Pay,
    Step::Request,
    Step::Permit,
    Step::Sign,
    Step::Submit,
    Step::Settle,
    Step::Receipts,
    Step::Reconcile,
    Step::Payments,
];

/// The chain before the payment, and the node that goes back to it.
pub struct Chain {
    core: Bitcoind,
    start: TempDir,
    /// Bitcoin Core scans for one at a time.
    scan: Mutex<()>,
}

impl Step {
    /// The command line.
    pub fn line(self, office: &Office) -> String {
        let node = |line: &str| format!("watch-node {line} --data node --json");
        match self {
            Step::Sync | Step::Settle => node("sync"),
            Step::Pay => {
                node(&format!("pay savings --to {SUPPLIER}=0.4btc --feerate 5 --purpose rent -o pay.psbt"))
            }
            Step::Request => "gatekeeper request pay.psbt --key desk -o pay-request.psbt --json".to_owned(),
            Step::Permit => {
                "gatekeeper submit pay-request.psbt -o pay-permitted.psbt --data gate --json".to_owned()
            }
            Step::Sign => {
                let spend = office.node("payments")["payments"][0]["spend_id"].as_str().unwrap().to_owned();
                let line = format!("sign pay-permitted.psbt --consent {spend} -o pay-signed.psbt --json");
                signer_line(STORE, &line)
            }
            Step::Submit => node("submit pay-signed.psbt"),
            Step::Receipts => signer_line(STORE, "receipts -o receipts.json --json"),
            Step::Reconcile => node("reconcile --receipts receipts.json"),
            Step::Payments => node("payments"),
        }
    }

    /// Whether the payment has its six blocks.
    pub fn is_mined(self) -> bool {
        matches!(self, Step::Settle | Step::Receipts | Step::Reconcile | Step::Payments)
    }

    /// The file that it writes.
    pub fn output(self) -> Option<&'static str> {
        match self {
            Step::Pay => Some("pay.psbt"),
            Step::Request => Some("pay-request.psbt"),
            Step::Permit => Some("pay-permitted.psbt"),
            Step::Sign => Some("pay-signed.psbt"),
            Step::Receipts => Some("receipts.json"),
            Step::Sync | Step::Submit | Step::Settle | Step::Reconcile | Step::Payments => None,
        }
    }

    /// What a person does who finds the step not done: the same command again, and where the file is there already,
    /// nothing. A payment that the node already made has its file written again instead of another payment being made.
    pub fn resume(self, office: &Office, line: &str) {
        if let Some(output) = self.output().filter(|output| office.path(output).exists()) {
            let before = office.read(output);
            if self != Step::Pay {
                let again = office.run(line);
                assert_eq!((again.code, &again.json()["error"]["code"]), (3, &json!("exists")), "{again:?}");
            }
            assert_eq!(office.read(output), before, "{line}: nothing is overwritten");
            return;
        }
        let said = office.run(line);
        assert_eq!(said.code, 0, "{line}, again: {said:?}");
    }

    /// What the step leaves, without times, the place of the change, and what follows from these.
    pub fn left(self, office: &Office, chain: &Chain) -> Value {
        match self {
            Step::Sync | Step::Settle => {
                let status = office.node("status");
                json!([
                    status["height"],
                    status["tip"],
                    status["complete"],
                    office.node("balance savings"),
                    office.node("coins savings")
                ])
            }
            Step::Pay => {
                let payments = office.node("payments");
                let payment = &payments["payments"][0];
                office.node("payments export P-0001 -o again.psbt");
                let same = office.read("again.psbt") == office.read("pay.psbt");
                std::fs::remove_file(office.path("again.psbt")).unwrap();
                json!([
                    payments["payments"].as_array().unwrap().len(),
                    payment["amount_sat"],
                    payment["fee_sat"],
                    office.node("balance savings"),
                    same
                ])
            }
            Step::Request => json!(office.read("pay-request.psbt")),
            Step::Permit => {
                let psbt = Psbt::deserialize(&office.read("pay-permitted.psbt")).unwrap();
                let envelope = Envelope::read(&psbt).unwrap();
                let permits: Vec<_> = envelope
                    .get(Kind::Permit)
                    .map(|bytes| Permit::from_bytes(bytes).unwrap().statement)
                    .collect();
                let places: Vec<_> =
                    permits.iter().flat_map(|permit| permit.vaults.iter().map(|at| at.sequence)).collect();
                let spends: Vec<_> = permits.iter().map(|permit| permit.spend.to_string()).collect();
                json!([spends, places, charges(office), office.gate("log verify")["events"]])
            }
            Step::Sign => json!([signed_hex(office), intents(office)]),
            Step::Submit => {
                let payments = office.node("payments");
                json!([
                    payments["payments"][0]["state"],
                    payments["payments"][0]["txid"],
                    chain.core.rpc("getrawmempool", &[])
                ])
            }
            Step::Receipts => json!([office.read("receipts.json"), intents(office)]),
            Step::Reconcile => office.done("watch-node reconcile --data node --receipts receipts.json"),
            Step::Payments => office.node("payments"),
        }
    }
}

impl Chain {
    /// The company with its wallet on this chain, two coins in it, and two blocks that the node has yet to read.
    pub fn found(core: Bitcoind, office: &Office) -> Self {
        office.signer_done(STORE, "trust --authority gate/authority.pub");
        office.signer_done(STORE, "new-key --wallet savings --network regtest --script wpkh --words-unseen");
        office.signer_done(STORE, "export --wallet savings -o savings.json");
        office.gate("vault add savings.json");
        office.node(&format!(
            "init --network regtest --chain core --url {} --cookie-file {}",
            core.url(),
            core.cookie().display()
        ));
        office.node("trust gate/authority.pub");
        office.node("wallet import savings --file savings.json");
        let address = office.node("address savings")["address"].as_str().unwrap().to_owned();
        core.rpc("generatetoaddress", &["2", &address]);
        core.rpc("generatetoaddress", &["99", MINER]);
        office.node("sync");
        core.rpc("generatetoaddress", &["2", MINER]);
        let start = tempfile::tempdir().unwrap();
        let mut chain = Self { core, start, scan: Mutex::default() };
        let copy = chain.start.path().to_owned();
        chain.core.restart(|regtest| {
            for folder in ["blocks", "chainstate"] {
                std::fs::create_dir(copy.join(folder)).unwrap();
                copy_files(&regtest.join(folder), &copy.join(folder));
            }
        });
        chain
    }

    /// Back to before the payment.
    pub fn rewind(&mut self) {
        let start = self.start.path().to_owned();
        self.core.restart(|regtest| {
            for folder in ["blocks", "chainstate"] {
                std::fs::remove_dir_all(regtest.join(folder)).unwrap();
                std::fs::create_dir(regtest.join(folder)).unwrap();
                copy_files(&start.join(folder), &regtest.join(folder));
            }
            forget_mempool(regtest);
        });
    }

    /// The same blocks, and no transaction that waits.
    pub fn forget_mempool(&mut self) {
        self.core.restart(forget_mempool);
    }

    /// Six blocks.
    pub fn mine(&self) {
        self.core.rpc("generatetoaddress", &["6", MINER]);
    }

    /// One payment on the chain, one charge, one intent, and the same sum in every book.
    pub fn assert_paid_once(&self, office: &Office) {
        let payments = office.node("payments");
        let payment = &payments["payments"][0];
        assert_eq!(payments["payments"].as_array().unwrap().len(), 1, "{payments}");
        assert_eq!((&payment["state"], &payment["confirmations"]), (&json!("settled"), &json!(6)));
        let fee = payment["fee_sat"].as_u64().unwrap();

        let received = self.scan(&[format!("addr({SUPPLIER})")]);
        assert_eq!(received, [(payment["txid"].as_str().unwrap().to_owned(), PAID_SAT)], "paid exactly once");
        let export: Value = serde_json::from_slice(&office.read("savings.json")).unwrap();
        let own = ["external", "internal"].map(|branch| export[branch].as_str().unwrap().to_owned());
        let own: u64 = self.scan(&own).iter().map(|(_, sat)| sat).sum();
        assert_eq!(own, FUNDED_SAT - PAID_SAT - fee);
        let balance = office.node("balance savings");
        assert_eq!(
            (&balance["total_sat"], &balance["confirmed_sat"]),
            (&json!(own), &json!(own)),
            "{balance}"
        );
        assert_eq!((&balance["pending_sat"], &balance["reserved_sat"]), (&json!(0), &json!(0)), "{balance}");

        let charged: Vec<_> =
            charges(office).as_array().unwrap().iter().map(|charge| charge[1].clone()).collect();
        assert_eq!(charged, [json!(PAID_SAT + fee)], "charged once");
        assert_eq!(intents(office), 1);
        let clean = office.node("reconcile --receipts receipts.json");
        assert_eq!((&clean["verdict"], clean["spends"].as_array().unwrap().len()), (&json!("clean"), 1));
        office.gate("log verify");
        office.signer_done(STORE, "log --verify");
    }

    /// The unspent outputs of these descriptors: txid and value.
    fn scan(&self, descriptors: &[String]) -> Vec<(String, u64)> {
        let _turn = self.scan.lock().unwrap();
        let found = self.core.rpc("scantxoutset", &["start", &json!(descriptors).to_string()]);
        let sat =
            |value: &Value| bitcoin::Amount::from_str_in(&value.to_string(), bitcoin::Denomination::Bitcoin);
        found["unspents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|coin| (coin["txid"].as_str().unwrap().to_owned(), sat(&coin["amount"]).unwrap().to_sat()))
            .collect()
    }
}

/// What a command must say whose child was killed: one object with code, message and hint.
pub fn assert_explained(said: &Said, child: &str) {
    let error = &said.json()["error"];
    for key in ["code", "message", "hint"] {
        assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{said:?}");
    }
    let expected = match child {
        // To the console it is a document that makes its reader fall.
        "reader" => (3, "reader-stopped"),
        "cold-vault" => (1, "vault-ended"),
        "ssh-keygen" => (1, "signer"),
        other => panic!("{other} is no child: {said:?}"),
    };
    assert_eq!((said.code, error["code"].as_str().unwrap()), expected, "{said:?}");
}

fn forget_mempool(regtest: &std::path::Path) {
    // Written at every stop.
    std::fs::remove_file(regtest.join("mempool.dat")).unwrap();
}

/// What the gatekeeper's ledger charges.
fn charges(office: &Office) -> Value {
    let shown = office.gate("show");
    let payments = shown["payments"].as_array().unwrap();
    payments.iter().map(|payment| json!([payment["state"], payment["outflow_sat"]])).collect()
}

fn intents(office: &Office) -> usize {
    let log = office.run(&format!("cold-vault log --store {STORE}"));
    assert_eq!(log.code, 0, "{log:?}");
    log.stdout.lines().filter(|line| line.ends_with("intent")).count()
}

/// The transaction of the signed file.
fn signed_hex(office: &Office) -> String {
    let mut psbt = Psbt::deserialize(&office.read("pay-signed.psbt")).unwrap();
    psbt_tools::finalize::finalize(&mut psbt).unwrap();
    serialize_hex(&psbt.extract_tx_unchecked_fee_rate())
}
