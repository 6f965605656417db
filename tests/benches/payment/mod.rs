//! A payment on paper that waits to be signed, and whoever can sign it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use airlock_tests::company::stranger;
use airlock_tests::peers::Descriptors;
use bitcoin::absolute::LockTime;
use bitcoin::bip32::Xpriv;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Keypair, Message, Scalar, Secp256k1};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, NetworkKind, OutPoint, Sequence, Transaction, TxIn, TxOut};
use cold_vault::derive::Account;
use cold_vault::secret::Secret;
use cold_wire::{Bundle, Request, RequestBody};
use policies::check::Check;
use policies::clear::{Dossier, Journal, Say, appraise, clear};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::examine::Marks;
use policies::history::History;
use policies::id::{SpendId, VaultId};
use policies::policy::Policy;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};
use psbt_tools::import::{Context, import};

/// Tells the time since some moment.
pub type Clock = fn() -> Duration;

/// Steps of the work, in their order.
pub const STEPS: [&str; 5] = ["import", "bundle", "review", "sign", "export"];

/// Operations of libsecp256k1 that no signer can do without, in their order.
pub const OPERATIONS: [&str; 4] = ["public", "secret", "sign", "verify"];

const SEEDS: [[u8; 64]; 3] = [[7; 64], [8; 64], [9; 64]];
const COIN: Amount = Amount::from_sat(1_000_000);

/// A kind of wallet that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One key, segwit v0.
    Wpkh,
    /// One key, taproot.
    Tr,
    /// Two of three keys, of which one is ours.
    Wsh,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Wpkh, Kind::Tr, Kind::Wsh];

    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Wpkh => "wpkh",
            Kind::Tr => "tr",
            Kind::Wsh => "wsh",
        }
    }

    fn key_kind(self) -> ScriptKind {
        match self {
            Kind::Wpkh => ScriptKind::Wpkh,
            Kind::Tr => ScriptKind::Tr,
            Kind::Wsh => ScriptKind::WshMulti,
        }
    }

    /// The descriptors of these keys, the first of which is ours.
    fn descriptors(self, [own, second, third]: [&str; 3]) -> Descriptors {
        Descriptors::of(&match self {
            Kind::Wpkh => format!("wpkh({own}/B/*)"),
            Kind::Tr => format!("tr({own}/B/*)"),
            Kind::Wsh => format!("wsh(sortedmulti(2,{own}/B/*,{second}/B/*,{third}/B/*))"),
        })
    }
}

/// A wallet and our key in it.
pub struct Signer {
    kind: Kind,
    account: Account,
    keys: [String; 3],
    wallet: Wallet,
    policy: Policy,
}

impl Signer {
    /// The one of a kind: the same whenever it is made.
    pub fn new(kind: Kind) -> Self {
        let [account, second, third] = SEEDS.map(|seed| {
            let seed = Secret::take(&mut seed.clone()).unwrap();
            Account::derive(&seed, NetworkKind::Test, kind.key_kind(), 0).unwrap()
        });
        let keys = [&account, &second, &third].map(|account| account.key().to_string());
        let policy = Policy::standalone("main", None).unwrap();
        let wallet = wallet(kind, &keys);
        Self { kind, account, keys, wallet, policy }
    }

    /// Its descriptors with our secret key in them, for the peers.
    pub fn secret_descriptors(&self) -> Descriptors {
        let key = self.account.key();
        let secret = Xpriv::new_master(NetworkKind::Test, &SEEDS[0]).unwrap();
        let secret = secret.derive_priv(&Secp256k1::new(), &key.origin).unwrap().to_string();
        let [own, second, third] = &self.keys;
        self.kind.descriptors([&own.replace(&key.xpub.to_string(), &secret), second, third])
    }

    /// The unsigned file of a payment: as many coins, each at its own address and the second output of a transaction of
    /// its own; one recipient; change.
    pub fn payment(&self, inputs: u32) -> Vec<u8> {
        let at = |index| Keypath { branch: Branch::External, index };
        let previous: Vec<_> = (0..inputs).map(|index| funding(&self.wallet, at(index))).collect();
        let change = Keypath { branch: Branch::Internal, index: 0 };
        let spent = COIN * u64::from(inputs);
        // About 2 sat/vB: within what is signed without a question.
        let fee = Amount::from_sat(136 * u64::from(inputs) + 200);
        let spend = Spend::new(SpendParts {
            network: Network::Regtest,
            wallet: self.wallet.id(),
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
                SpendOutput { value: spent / 2, script: stranger(1), own: None },
                SpendOutput {
                    value: spent / 2 - fee,
                    script: self.wallet.script(change).unwrap(),
                    own: Some(change),
                },
            ],
        })
        .unwrap();
        psbt_tools::build::build(&spend, &Evidence::new(previous), &self.wallet).unwrap().serialize()
    }

    /// From the file to the signed file, by the way that the programs take: what each of [`STEPS`] took by this clock.
    ///
    /// - `import`: the PSBT is read and every check of this side of the vault runs;
    /// - `bundle`: the spend is written and read thrice, on its way from the reader to the vault's review and signature;
    /// - `review`: the vault examines and judges it;
    /// - `sign`: it is cleared, signed, and each fresh signature verified;
    /// - `export`: each signature is verified again and put into the file.
    ///
    /// Processes, the passphrase's derivation and the durable intent are left out: they cost a payment the same whatever
    /// its inputs.
    pub fn sign(&self, file: Vec<u8>, now: Clock) -> [Duration; 5] {
        // A wallet keeps what it derived, and reader and vault are two processes.
        let (readers, vaults) = (wallet(self.kind, &self.keys), wallet(self.kind, &self.keys));
        let mut times = [Duration::ZERO; 5];
        let mut since = now();
        let mut lap = |step: usize| {
            let until = now();
            times[step] = until - std::mem::replace(&mut since, until);
        };
        let context = Context { network: Some(Network::Regtest), now: Some(1), ..Context::default() };
        let imported = import(file, std::slice::from_ref(&readers), &context).unwrap();
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
            wallet: &vaults,
            wallet_name: "main",
            key: vaults.key_of(&self.account.key().xpub).unwrap(),
            vault: VaultId::from_bytes([1; 32]),
            request: None,
            approvals: &[],
            permits: &[],
            now: 1,
        };
        let (say, journal) = (Say::Operator(&self.policy), Fresh::default());
        black_box(appraise(&dossier, say, &journal));
        lap(2);
        // Of 10,000 inputs an operator is asked about the fee and the weight, which nodes do not relay.
        let accepted = [16, 31].map(|number| Check::from_number(number).unwrap());
        let cleared = clear(&dossier, say, &journal, &accepted).unwrap();
        let signatures = cold_vault::sign::sign(&cleared, &vaults, &self.account).unwrap();
        lap(3);
        black_box(imported.with_signatures(&signatures, &[]).unwrap());
        lap(4);
        times
    }

    /// What each of [`OPERATIONS`] takes for so many inputs, done once, and nothing else, not even the hashes of BIP32:
    ///
    /// - `public`: a public key plus a tweak, the child of a branch, for each key of the script, and for taproot the
    ///   output key's tweak (BIP341), which proves the script ours;
    /// - `secret`: a secret key plus its tweaks, and its public key;
    /// - `sign`: ECDSA with low R, as Bitcoin Core grinds it, or BIP340;
    /// - `verify`: that signature.
    pub fn floor(&self, inputs: u32, now: Clock) -> [Duration; 4] {
        let secp = Secp256k1::new();
        let branch = Keypair::from_seckey_slice(&secp, &[7; 32]).unwrap();
        // As random as the tweaks of BIP32: short ones are cheaper.
        let digests = (1..=inputs).map(|index| sha256::Hash::hash(&index.to_be_bytes()).to_byte_array());
        let digests: Vec<_> = digests.collect();
        let tweak = |digest: &[u8; 32]| Scalar::from_be_bytes(*digest).unwrap();
        let mut times = [Duration::ZERO; 4];
        let mut since = now();
        let mut lap = |operation: usize| {
            let until = now();
            times[operation] = until - std::mem::replace(&mut since, until);
        };
        for digest in &digests {
            for _ in 0..if self.kind == Kind::Wsh { 3 } else { 1 } {
                let child = branch.public_key().add_exp_tweak(&secp, &tweak(digest)).unwrap();
                if self.kind == Kind::Tr {
                    black_box(child.x_only_public_key().0.add_tweak(&secp, &tweak(digest)).unwrap());
                }
                black_box(child);
            }
        }
        lap(0);
        let tweaked = |digest| branch.secret_key().add_tweak(&tweak(digest)).unwrap();
        let child = |digest| tweaked(digest).keypair(&secp);
        if self.kind == Kind::Tr {
            let child = |digest| tweaked(digest).add_tweak(&tweak(digest)).unwrap().keypair(&secp);
            let children: Vec<_> = digests.iter().map(child).collect();
            lap(1);
            let signed = digests.iter().zip(&children).map(|(digest, child)| {
                let message = Message::from_digest(*digest);
                (message, secp.sign_schnorr_no_aux_rand(&message, child), child)
            });
            let signed: Vec<_> = signed.collect();
            lap(2);
            for (message, signature, child) in signed {
                secp.verify_schnorr(&signature, &message, &child.x_only_public_key().0).unwrap();
            }
        } else {
            let children: Vec<_> = digests.iter().map(child).collect();
            lap(1);
            let signed = digests.iter().zip(&children).map(|(digest, child)| {
                let message = Message::from_digest(*digest);
                (message, secp.sign_ecdsa_low_r(&message, &child.secret_key()), child)
            });
            let signed: Vec<_> = signed.collect();
            lap(2);
            for (message, signature, child) in signed {
                secp.verify_ecdsa(&message, &signature, &child.public_key()).unwrap();
            }
        }
        lap(3);
        times
    }
}

/// A wallet that has derived nothing yet.
fn wallet(kind: Kind, [own, second, third]: &[String; 3]) -> Wallet {
    let descriptors = kind.descriptors([own, second, third]);
    Wallet::new(Network::Regtest, &[descriptors.external, descriptors.internal]).unwrap()
}

/// A transaction whose second output is the coin.
fn funding(wallet: &Wallet, at: Keypath) -> Transaction {
    let own = TxOut { value: COIN, script_pubkey: wallet.script(at).unwrap() };
    let other = TxOut { value: COIN, script_pubkey: stranger(2) };
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
