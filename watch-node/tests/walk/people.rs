//! Keys that stand for the people and machines around the node, and what they sign.

use std::collections::BTreeMap;
use std::str::FromStr;

use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sighash::SighashCache;
use bitcoin::{Amount, Network, Psbt, ScriptBuf, Transaction, TxOut, WScriptHash, ecdsa};
use ed25519_dalek::{Signer, SigningKey};
use policies::approval::Approval;
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::id::{AuthorityId, PermitId, PolicyId, RequestId};
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Permit, PermitStatement, PermitVault, Receipt, ReceiptStatement, vault_id};
use policies::policy::{Allow, Destination, Policy, PolicyTerms, Requester, WalletTerms};
use policies::request::{Head, SignedRequest};
use policies::spend::Spend;
use policies::wallet::{Branch, ScriptKind, Wallet, export_text};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::import::{Context, import};
use serde_json::{Value, json};

/// Every kind of wallet of one key. Signing changes the txid of the first two.
pub const SINGLE: [ScriptKind; 4] = [ScriptKind::Pkh, ScriptKind::ShWpkh, ScriptKind::Wpkh, ScriptKind::Tr];

/// A key that signs documents.
pub fn public(n: u8) -> PublicKey {
    PublicKey::ed25519(SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes())
}

pub fn sign(n: u8, namespace: Namespace, message: &[u8]) -> SshSig {
    let key = SigningKey::from_bytes(&[n; 32]);
    SshSig::create(&public(n), namespace, message, |data| key.sign(data).to_bytes())
}

/// An authority with one permit key, whose policy names the wallet `savings`.
pub fn authority(permit_key: u8) -> SignedAuthority {
    let terms = PolicyTerms {
        company: format!("Company {permit_key}"),
        version: 1,
        previous: None,
        valid_until: None,
        people: BTreeMap::from([("desk".to_owned(), vec![Requester::Key(public(3))])]),
        groups: BTreeMap::new(),
        wallets: BTreeMap::from([("savings".to_owned(), WalletTerms::default())]),
        allows: vec![Allow {
            name: "Desk pays anyone".to_owned(),
            requesters: vec!["desk".to_owned()],
            wallet: "savings".to_owned(),
            to: vec![Destination::Anyone],
        }],
        limits: vec![],
        requires: vec![],
        permit_valid_for: 86_400,
        headers_max_age: 86_400,
    };
    let authority = Authority {
        company: terms.company.clone(),
        permit_keys: vec![public(permit_key)],
        policy: Policy::new(terms).unwrap(),
    };
    let signatures = vec![sign(permit_key, Namespace::Authority, &authority.to_bytes())];
    SignedAuthority { authority, signatures }
}

/// A seed and an audit key.
pub struct Vault {
    pub wallet: Wallet,
    pub audit: u8,
    master: Xpriv,
}

impl Vault {
    pub fn new(kind: ScriptKind, audit: u8) -> Self {
        let secp = Secp256k1::new();
        let master = Xpriv::new_master(Network::Regtest, &[audit; 32]).unwrap();
        let path = DerivationPath::from_str(&format!("{}h/1h/0h", kind.purpose())).unwrap();
        let account = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
        let fingerprint = master.fingerprint(&secp);
        let descriptor = |n| {
            let key = format!("[{fingerprint}/{}h/1h/0h]{account}/{n}/*", kind.purpose());
            kind.descriptor(&key).unwrap()
        };
        let wallet = Wallet::new(Network::Regtest, &[descriptor(0), descriptor(1)]).unwrap();
        Self { wallet, audit, master }
    }

    /// What `cold-signer export` writes of a key that obeys the authority with permit key 5.
    pub fn export(&self) -> Value {
        self.export_obeying(Some(authority(5).authority.id()))
    }

    pub fn export_obeying(&self, authority: Option<AuthorityId>) -> Value {
        self.export_born(None, authority)
    }

    pub fn export_born(&self, birthday: Option<u64>, authority: Option<AuthorityId>) -> Value {
        let external = self.wallet.descriptor(Branch::External);
        let internal = self.wallet.descriptor(Branch::Internal);
        let text = export_text(Network::Regtest, "savings", (&external, &internal), birthday, authority);
        json!({
            "wallet": "savings", "network": "regtest", "fingerprint": "00000000",
            "external": external, "internal": internal,
            "birthday": birthday, "authority": authority.map(|id| id.to_string()),
            "vault_id": vault_id(&public(self.audit)).to_string(),
            "audit_key": public(self.audit).to_string(),
            "signature": sign(self.audit, Namespace::Export, text.as_bytes()).to_armor(),
        })
    }

    /// Every input signed with the seed.
    pub fn sign_psbt(&self, file: &[u8]) -> Psbt {
        let mut psbt = Psbt::deserialize(file).unwrap();
        psbt.sign(&self.master, &Secp256k1::new()).unwrap();
        psbt
    }

    /// Another spend of a file's first coins, with a copy of the seed, past every rule.
    pub fn elsewhere(&self, file: &[u8], coins: usize, pays: &[(ScriptBuf, u64)]) -> Transaction {
        let mut psbt = Psbt::deserialize(file).unwrap();
        psbt.proprietary.clear();
        psbt.unsigned_tx.input.truncate(coins);
        psbt.inputs.truncate(coins);
        psbt.unsigned_tx.output = pays
            .iter()
            .map(|(script, sat)| TxOut { value: Amount::from_sat(*sat), script_pubkey: script.clone() })
            .collect();
        psbt.outputs = vec![Default::default(); pays.len()];
        let mut signed = self.sign_psbt(&psbt.serialize());
        psbt_tools::finalize::finalize(&mut signed).unwrap();
        signed.extract_tx_unchecked_fee_rate()
    }

    /// The transaction of a file, signed with the seed.
    pub fn signed(&self, file: &[u8]) -> Transaction {
        let mut psbt = self.sign_psbt(file);
        psbt_tools::finalize::finalize(&mut psbt).unwrap();
        psbt.extract_tx_unchecked_fee_rate()
    }

    /// The same of a legacy wallet with other signatures: each commits to the same, and is as good.
    pub fn signed_again(&self, file: &[u8]) -> Transaction {
        let secp = Secp256k1::new();
        let mut psbt = self.sign_psbt(file);
        for at in 0..psbt.inputs.len() {
            let (key, signature) = psbt.inputs[at].partial_sigs.pop_first().unwrap();
            let (_, path) = psbt.inputs[at].bip32_derivation[&key.inner].clone();
            let secret = self.master.derive_priv(&secp, &path).unwrap().private_key;
            let spent = psbt.spend_utxo(at).unwrap().script_pubkey.clone();
            let hash = SighashCache::new(&psbt.unsigned_tx).legacy_signature_hash(at, &spent, 1).unwrap();
            let message = Message::from_digest(hash.to_byte_array());
            let other = secp.sign_ecdsa_with_noncedata(&message, &secret, &[7; 32]);
            assert_ne!(other, signature.signature);
            psbt.inputs[at].partial_sigs.insert(key, ecdsa::Signature::sighash_all(other));
        }
        psbt_tools::finalize::finalize(&mut psbt).unwrap();
        psbt.extract_tx_unchecked_fee_rate()
    }

    /// The spend in a file.
    pub fn spend(&self, file: &[u8]) -> Spend {
        let wallets = std::slice::from_ref(&self.wallet);
        let imported = import(file.to_vec(), wallets, &Context::default()).unwrap();
        imported.cleared().unwrap().0.clone()
    }

    /// The file signed, with a permit by this key and a receipt of this vault.
    pub fn answer(&self, file: &[u8], permit_key: Option<u8>, audit: Option<u8>) -> Vec<u8> {
        let spend = self.spend(file);
        let mut psbt = self.sign_psbt(file);
        let mut envelope = Envelope::read(&psbt).unwrap();
        if let Some(key) = permit_key {
            envelope.insert(Kind::Permit, permit(key, &spend, self.audit).to_bytes()).unwrap();
        }
        if let Some(audit) = audit {
            envelope.insert(Kind::Receipt, receipt(audit, &spend).to_bytes()).unwrap();
        }
        envelope.replace(Kind::Manifest, vec![]).unwrap();
        envelope.write(&mut psbt);
        psbt.serialize()
    }
}

/// The file with its request signed by the desk, and approved by whoever has these keys.
pub fn ask(file: &[u8], approvers: &[u8]) -> Vec<u8> {
    let mut psbt = Psbt::deserialize(file).unwrap();
    let mut envelope = Envelope::read(&psbt).unwrap();
    let request = request(file).request;
    let signature = Some(sign(3, Namespace::Request, &request.to_bytes()));
    for key in approvers {
        let signature = sign(*key, Namespace::Approve, request.approval_text().as_bytes());
        let approval = Approval { request: request.id(), signature };
        envelope.insert(Kind::Approval, approval.to_bytes()).unwrap();
    }
    envelope.replace(Kind::Request, vec![SignedRequest { request, signature }.to_bytes()]).unwrap();
    envelope.replace(Kind::Manifest, vec![]).unwrap();
    envelope.write(&mut psbt);
    psbt.serialize()
}

/// The request in a file.
pub fn request(file: &[u8]) -> SignedRequest {
    let envelope = Envelope::read(&Psbt::deserialize(file).unwrap()).unwrap();
    let requests: Vec<_> = envelope.get(Kind::Request).collect();
    assert_eq!(requests.len(), 1);
    SignedRequest::from_bytes(requests[0]).unwrap()
}

/// Where stolen coins go.
pub fn thief() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array([6; 32]))
}

pub fn permit(key: u8, spend: &Spend, audit: u8) -> Permit {
    permit_at(0, key, spend, audit)
}

/// By a gatekeeper that stands at this median time past.
pub fn permit_at(issued_mtp: u64, key: u8, spend: &Spend, audit: u8) -> Permit {
    let statement = PermitStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        vaults: vec![PermitVault { vault: vault_id(&public(audit)), sequence: 1, previous: [0; 32] }],
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        outflow: spend.outflow(),
        fee: spend.fee(),
        request: RequestId::of(b"request"),
        approvals: vec![],
        policy_version: 1,
        policy: PolicyId::of(b"policy"),
        revocation_version: 0,
        anchor: spend.anchor(),
        replaces: vec![],
        dead: vec![],
        heads: vec![],
        issued_mtp,
        issued: 1,
        expires: 2,
    };
    let signature = sign(key, Namespace::Permit, &statement.to_bytes());
    Permit { statement, signature, trails: vec![] }
}

/// A receipt that names the permit which [`permit`] makes.
pub fn receipt(audit: u8, spend: &Spend) -> Receipt {
    let named = permit(5, spend, audit).statement.id();
    receipt_naming(Some(named), audit, spend)
}

pub fn receipt_naming(permit: Option<PermitId>, audit: u8, spend: &Spend) -> Receipt {
    let statement = ReceiptStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        head: Head { vault: vault_id(&public(audit)), sequence: 7, hash: [9; 32] },
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        permit,
    };
    let signature = sign(audit, Namespace::Receipt, &statement.to_bytes());
    Receipt { statement, signature }
}

/// What `cold-signer receipts` writes.
pub fn receipts_file(audit: u8, receipts: &[Receipt]) -> Value {
    let hex =
        |receipt: &Receipt| receipt.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    json!({
        "vault_id": vault_id(&public(audit)).to_string(),
        "audit_key": public(audit).to_string(),
        "receipts": receipts.iter().map(hex).collect::<Vec<_>>(),
    })
}
