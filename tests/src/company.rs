//! A company in miniature: a terminal, a permit key, a policy, a vault with one key, and coins made on paper.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut};
use cold_wire::{Bundle, NewKey, RegisterWallet, ReplyBody, RequestBody};
use ed25519_dalek::{Signer, SigningKey};
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::id::VaultId;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Permit, PermitStatement, PermitVault};
use policies::policy::{
    Allow, DEFAULT_HEADERS_MAX_AGE, DEFAULT_PERMIT_VALIDITY, Destination, Limit, Policy, PolicyTerms,
    Requester, WalletTerms,
};
use policies::request::{Recipient, Request, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};

use crate::vault::Vault;

/// Later than any clock of these tests.
pub const FAR: u64 = 4_000_000_000;

/// The terminal's key.
pub const DESK: u8 = 3;
/// The gatekeeper's permit key.
pub const GATE: u8 = 5;

/// An Ed25519 key from one byte.
pub fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

/// Its public half.
pub fn public(n: u8) -> PublicKey {
    PublicKey::ed25519(key(n).verifying_key().to_bytes())
}

/// An SSHSIG by such a key.
pub fn sign(n: u8, namespace: Namespace, message: &[u8]) -> SshSig {
    SshSig::create(&public(n), namespace, message, |data| key(n).sign(data).to_bytes())
}

/// The company's policy: the desk pays anyone from `savings`, at most 1 BTC a payment.
pub fn policy() -> Policy {
    Policy::new(PolicyTerms {
        company: "Two Friends GmbH".to_owned(),
        version: 1,
        previous: None,
        valid_until: None,
        people: BTreeMap::from([("desk".to_owned(), vec![Requester::Key(public(DESK))])]),
        groups: BTreeMap::new(),
        wallets: BTreeMap::from([
            ("savings".to_owned(), WalletTerms::default()),
            ("taproot".to_owned(), WalletTerms::default()),
        ]),
        allows: ["savings", "taproot"]
            .map(|wallet| Allow {
                name: format!("Desk pays anyone from {wallet}"),
                requesters: vec!["desk".to_owned()],
                wallet: wallet.to_owned(),
                to: vec![Destination::Anyone],
            })
            .to_vec(),
        limits: vec![Limit {
            name: "Each payment".to_owned(),
            requesters: None,
            wallet: None,
            per_payment: Some(Amount::ONE_BTC),
            per_window: None,
            fee: None,
        }],
        requires: vec![],
        permit_valid_for: DEFAULT_PERMIT_VALIDITY,
        headers_max_age: DEFAULT_HEADERS_MAX_AGE,
    })
    .unwrap()
}

/// The authority that the vault obeys, as `authority.pub` holds it.
pub fn signed_authority() -> SignedAuthority {
    let authority = Authority {
        company: "Two Friends GmbH".to_owned(),
        permit_keys: vec![public(GATE)],
        policy: policy(),
    };
    let signatures = vec![sign(GATE, Namespace::Authority, &authority.to_bytes())];
    SignedAuthority { authority, signatures }
}

/// A wallet at a vault.
pub struct Company {
    /// The vault's id.
    pub vault: VaultId,
    /// The wallet.
    pub wallet: Wallet,
}

impl Company {
    /// Pins the authority and makes a key of this kind; a cosigner's becomes one of three: `wsh` of any two, or `tr` with
    /// a leaf for it.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn found(vault: &mut Vault, kind: ScriptKind) -> Self {
        let pinned = vault.call(RequestBody::PinAuthority(signed_authority().to_bytes()));
        assert!(matches!(pinned, Some(ReplyBody::Pinned { .. })), "{pinned:?}");
        let wallet = if kind == ScriptKind::Tr { "taproot" } else { "savings" };
        let made = vault.call(RequestBody::NewKey(NewKey {
            wallet: wallet.to_owned(),
            network: Network::Regtest,
            kind,
            words: 24,
            account: 0,
            limit: None,
            dice: vec![],
        }));
        let Some(ReplyBody::Key(key)) = made else { panic!("no key: {made:?}") };
        let [a, b] = [1, 2].map(|n| cosigner(n).0);
        let own = &key.key;
        let descriptor = match kind {
            ScriptKind::WshMulti => Some(format!("wsh(sortedmulti(2,{a},{own}/<0;1>/*,{b}))")),
            ScriptKind::Multi => Some(format!("tr({a},{{pk({own}/<0;1>/*),pk({b})}})")),
            _ => None,
        };
        let wallet = match descriptor {
            Some(descriptor) => register(vault, &key.wallet, &descriptor),
            None => key.registered().unwrap(),
        };
        let Some(ReplyBody::Keys { vault, .. }) = vault.call(RequestBody::List) else { panic!("no list") };
        Self { vault, wallet }
    }

    /// The spend of case `n`: one own coin of 0.5 BTC, 0.2 to a stranger, the rest less 10,000 sat back.
    pub fn parts(&self, n: u32) -> (SpendParts, Vec<Transaction>) {
        let at = Keypath { branch: Branch::External, index: n };
        let previous = Transaction {
            version: Version::TWO,
            lock_time: LockTime::from_consensus(n),
            input: vec![TxIn::default()],
            output: vec![TxOut {
                value: Amount::from_sat(50_000_000),
                script_pubkey: self.wallet.script(at).unwrap(),
            }],
        };
        let change = Keypath { branch: Branch::Internal, index: n };
        let parts = SpendParts {
            network: Network::Regtest,
            wallet: self.wallet.id(),
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            inputs: vec![SpendInput {
                outpoint: OutPoint { txid: previous.compute_txid(), vout: 0 },
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                value: Amount::from_sat(50_000_000),
                keypath: at,
            }],
            outputs: vec![
                SpendOutput { value: Amount::from_sat(20_000_000), script: stranger(1), own: None },
                SpendOutput {
                    value: Amount::from_sat(29_990_000),
                    script: self.wallet.script(change).unwrap(),
                    own: Some(change),
                },
            ],
        };
        (parts, vec![previous])
    }

    /// The request that a terminal signs for a spend.
    pub fn request(&self, spend: &Spend, payment: u32) -> Request {
        Request {
            network: spend.network(),
            wallet: spend.wallet(),
            payment,
            recipients: spend
                .external_outputs()
                .map(|output| Recipient { script: output.script.clone(), amount: output.value })
                .collect(),
            purpose: "invoice 2026-117".to_owned(),
            max_fee: Amount::from_sat(100_000),
            anchor: spend.anchor(),
            created: 1,
            expires: FAR,
            heads: vec![],
            replaces: vec![],
        }
    }

    /// What the gatekeeper states for a spend: the `sequence`th permit of this vault.
    pub fn statement(
        &self,
        spend: &Spend,
        request: &Request,
        sequence: u64,
        previous: [u8; 32],
    ) -> PermitStatement {
        PermitStatement {
            network: spend.network(),
            wallet: spend.wallet(),
            vaults: vec![PermitVault { vault: self.vault, sequence, previous }],
            spend: spend.id(),
            unsigned_txid: spend.unsigned_txid(),
            outflow: spend.outflow(),
            fee: spend.fee(),
            request: request.id(),
            approvals: vec![],
            policy_version: 1,
            policy: policy().id(),
            revocation_version: 0,
            anchor: spend.anchor(),
            replaces: vec![],
            dead: vec![],
            heads: vec![],
            issued_mtp: 0,
            issued: 1,
            expires: FAR,
        }
    }

    /// Everything an honest file would carry for these parts.
    pub fn bundle(
        &self,
        parts: SpendParts,
        previous: Vec<Transaction>,
        sequence: u64,
        chain: [u8; 32],
    ) -> Bundle {
        let spend = Spend::new(parts).unwrap();
        let request = self.request(&spend, u32::try_from(sequence).unwrap());
        let statement = self.statement(&spend, &request, sequence, chain);
        Bundle {
            evidence: Evidence::new(previous),
            request: Some(signed_request(DESK, request)),
            approvals: vec![],
            permits: vec![permit(GATE, statement)],
            spend,
        }
    }
}

/// Registers a wallet with consent to what the vault says it is.
///
/// # Panics
/// When the vault refuses.
pub fn register(vault: &mut Vault, name: &str, descriptor: &str) -> Wallet {
    let wallet = Wallet::new(Network::Regtest, &[descriptor]).unwrap();
    for consent in [None, Some(wallet.id())] {
        let (name, descriptors) = (name.to_owned(), vec![descriptor.to_owned()]);
        let reply = vault.call(RequestBody::RegisterWallet(RegisterWallet { name, descriptors, consent }));
        let Some(ReplyBody::Key(key)) = reply else { panic!("not registered: {reply:?}") };
        assert_eq!(key.registered().unwrap(), wallet);
        assert_eq!(key.signature.is_some(), consent.is_some());
    }
    wallet
}

/// Somebody else's account, made from a number: its key expression, and its private key.
pub fn cosigner(n: u8) -> (String, Xpriv) {
    let secp = Secp256k1::new();
    let master = Xpriv::new_master(Network::Regtest, &[n; 32]).unwrap();
    let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
    let account = master.derive_priv(&secp, &path).unwrap();
    let key = Xpub::from_priv(&secp, &account);
    (format!("[{}/48'/1'/0'/2']{key}/<0;1>/*", master.fingerprint(&secp)), account)
}

/// A request signed by a key.
pub fn signed_request(n: u8, request: Request) -> SignedRequest {
    let signature = sign(n, Namespace::Request, &request.to_bytes());
    SignedRequest { request, signature: Some(signature) }
}

/// A permit signed by a key.
pub fn permit(n: u8, statement: PermitStatement) -> Permit {
    let signature = sign(n, Namespace::Permit, &statement.to_bytes());
    Permit { statement, signature, trails: vec![] }
}

/// Somebody else's script.
pub fn stranger(n: u8) -> ScriptBuf {
    use bitcoin::hashes::Hash;
    ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([n; 20]))
}
