//! What an input costs beside the elliptic-curve arithmetic that it cannot do without. Nothing is asserted about time.
//!
//! `cargo bench -p airlock-tests --bench per_input`: a line for each kind of script and number of inputs, in
//! microseconds for each input, the median of several runs.
//!
//! - `import`: the PSBT is read and every check of this side of the vault runs (`psbt_tools::import`);
//! - `bundle`: the spend is written and read thrice, as on its way from the reader to the vault's review and signature;
//! - `review`: the vault examines and judges it (`policies::clear::appraise`);
//! - `sign`: it is cleared, signed, and each fresh signature verified (`cold_vault::sign`);
//! - `export`: each signature is verified again and put into the file (`Imported::with_signatures`);
//! - `floor`: libsecp256k1 alone, in the same run: two BIP32 child derivations, a signature, a verification.
//!
//! Every coin has a previous transaction of its own, with two outputs. Processes, the passphrase's derivation and the
//! durable intent are left out: they cost a payment the same whatever its inputs.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, NetworkKind, OutPoint, Sequence, Transaction, TxIn, TxOut};
use cold_vault::derive::Account;
use cold_vault::secret::Secret;
use cold_wire::{Bundle, Request, RequestBody};
use policies::clear::{Dossier, Journal, Say, appraise, clear};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::examine::Marks;
use policies::history::History;
use policies::id::{SpendId, VaultId};
use policies::policy::Policy;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet, WalletKind};
use psbt_tools::import::{Context, import};

/// Steps of the work, in the order of [`STEPS`].
type Times = [Duration; 5];

const STEPS: [&str; 5] = ["import", "bundle", "review", "sign", "export"];
const SEED: [u8; 64] = [7; 64];
const COIN: Amount = Amount::from_sat(1_000_000);

fn main() {
    print!("{:<6}{:>7}", "script", "inputs");
    STEPS.iter().for_each(|step| print!("{step:>9}"));
    println!("{:>9}{:>9}{:>8}   (µs for each input; median)", "total", "floor", "ratio");
    for kind in [ScriptKind::Wpkh, ScriptKind::Tr] {
        for inputs in [1, 100, 1_000] {
            row(&Payment::new(kind, inputs), inputs);
        }
    }
}

fn row(payment: &Payment, inputs: u32) {
    let runs = (500 / inputs).max(7);
    let (mut work, mut floors) = (Vec::new(), Vec::new());
    // Taken in turns, so that both meet the same machine.
    for _ in 0..runs {
        work.push(payment.work());
        floors.push(payment.floor());
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(inputs);
    print!("{:<6}{inputs:>7}", payment.wallet.kind().as_str());
    for step in 0..STEPS.len() {
        print!("{:>9.1}", each(median(work.iter().map(|times| times[step]))));
    }
    let total = each(median(work.iter().map(|times| times.iter().sum())));
    let floor = each(median(floors));
    println!("{total:>9.1}{floor:>9.1}{:>8.2}", total / floor);
}

fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    times[times.len() / 2]
}

/// A payment that waits to be signed, and whoever can sign it.
struct Payment {
    account: Account,
    wallet: Wallet,
    policy: Policy,
    file: Vec<u8>,
}

impl Payment {
    /// As many coins, each at its own address and from its own transaction; one recipient; change.
    fn new(kind: ScriptKind, inputs: u32) -> Self {
        let seed = Secret::take(&mut SEED.clone()).unwrap();
        let account = Account::derive(&seed, NetworkKind::Test, kind, 0).unwrap();
        let descriptor = kind.descriptor(&format!("{}/<0;1>/*", account.key())).unwrap();
        let wallet = Wallet::new(Network::Regtest, &[descriptor]).unwrap();
        let at = |index| Keypath { branch: Branch::External, index };
        let previous: Vec<_> = (0..inputs).map(|index| funding(&wallet, at(index))).collect();
        let change = Keypath { branch: Branch::Internal, index: 0 };
        let spent = COIN * u64::from(inputs);
        // About 2 sat/vB: within what is signed without a question.
        let fee = Amount::from_sat(136 * u64::from(inputs) + 200);
        let spend = Spend::new(SpendParts {
            network: Network::Regtest,
            wallet: wallet.id(),
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            inputs: (0..inputs)
                .zip(&previous)
                .map(|(index, transaction)| SpendInput {
                    outpoint: OutPoint::new(transaction.compute_txid(), 1),
                    sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                    value: COIN,
                    keypath: at(index),
                })
                .collect(),
            outputs: vec![
                SpendOutput { value: spent / 2, script: airlock_tests::company::stranger(1), own: None },
                SpendOutput {
                    value: spent / 2 - fee,
                    script: wallet.script(change).unwrap(),
                    own: Some(change),
                },
            ],
        })
        .unwrap();
        let psbt = psbt_tools::build::build(&spend, &Evidence::new(previous), &wallet).unwrap();
        let policy = Policy::standalone("main", None).unwrap();
        Self { account, wallet, policy, file: psbt.serialize() }
    }

    /// From the file to the signed file.
    fn work(&self) -> Times {
        let mut times = Times::default();
        let mut clock = Instant::now();
        let mut lap = |step: usize| {
            times[step] = clock.elapsed();
            clock = Instant::now();
        };
        let context = Context { network: Some(Network::Regtest), now: Some(1), ..Context::default() };
        let imported = import(self.file.clone(), std::slice::from_ref(&self.wallet), &context).unwrap();
        let (spend, _) = imported.cleared().unwrap();
        lap(0);
        let mut bundle = Bundle {
            spend: spend.clone(),
            evidence: imported.evidence().clone(),
            request: None,
            approvals: vec![],
            permits: vec![],
        };
        for _ in 0..3 {
            let request = Request { id: 1, deadline: 0, body: RequestBody::Review(bundle) };
            let RequestBody::Review(read) = Request::from_bytes(&request.to_bytes()).unwrap().body else {
                unreachable!("it reads back as it was written")
            };
            bundle = read;
        }
        lap(1);
        let dossier = Dossier {
            spend: &bundle.spend,
            evidence: &bundle.evidence,
            wallet: &self.wallet,
            wallet_name: "main",
            key: 0,
            vault: VaultId::from_bytes([1; 32]),
            request: None,
            approvals: &[],
            permits: &[],
            now: 1,
        };
        let (say, journal) = (Say::Operator(&self.policy), Fresh::default());
        black_box(appraise(&dossier, say, &journal));
        lap(2);
        let cleared = clear(&dossier, say, &journal, &[]).unwrap();
        let signatures = cold_vault::sign::sign(&cleared, &self.wallet, &self.account).unwrap();
        lap(3);
        black_box(imported.with_signatures(&signatures, &[]).unwrap());
        lap(4);
        times
    }

    /// Two child derivations, a signature and a verification for each input, and nothing else.
    fn floor(&self) -> Duration {
        let secp = Secp256k1::new();
        let account = Xpriv::new_master(NetworkKind::Test, &SEED).unwrap();
        let inputs = self.inputs();
        let begun = Instant::now();
        for index in 0..inputs {
            let path = [0, index].map(|step| ChildNumber::from_normal_idx(step).unwrap());
            let key = account.derive_priv(&secp, &path).unwrap().to_keypair(&secp);
            let message = Message::from_digest([u8::try_from(index % 251).unwrap(); 32]);
            match self.wallet.kind() {
                WalletKind::Wpkh => {
                    let signature = secp.sign_ecdsa_low_r(&message, &key.secret_key());
                    secp.verify_ecdsa(&message, &signature, &key.public_key()).unwrap();
                }
                _ => {
                    let signature = secp.sign_schnorr_no_aux_rand(&message, &key);
                    secp.verify_schnorr(&signature, &message, &key.x_only_public_key().0).unwrap();
                }
            }
        }
        begun.elapsed()
    }

    fn inputs(&self) -> u32 {
        let psbt = bitcoin::Psbt::deserialize(&self.file).unwrap();
        u32::try_from(psbt.inputs.len()).unwrap()
    }
}

/// A transaction whose second output is the coin.
fn funding(wallet: &Wallet, at: Keypath) -> Transaction {
    let own = TxOut { value: COIN, script_pubkey: wallet.script(at).unwrap() };
    let other = TxOut { value: COIN, script_pubkey: airlock_tests::company::stranger(2) };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_consensus(at.index),
        input: vec![TxIn::default()],
        output: vec![other, own],
    }
}

/// The journal of a vault that never signed.
#[derive(Default)]
struct Fresh {
    history: History,
    chain: BTreeMap<u64, [u8; 32]>,
}

impl Journal for Fresh {
    fn signed(&self, _: &OutPoint) -> Vec<(SpendId, Amount)> {
        vec![]
    }

    fn history(&self) -> &History {
        &self.history
    }

    fn marks(&self) -> Marks {
        Marks::default()
    }

    fn record_hash(&self, _: u64) -> Option<[u8; 32]> {
        None
    }

    fn chain(&self) -> &BTreeMap<u64, [u8; 32]> {
        &self.chain
    }
}
