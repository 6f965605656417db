//! Every document that is hashed or signed has one encoding: nothing may be cut off, added or changed unseen.

#[allow(dead_code, reason = "each test uses its part")]
mod oracle;

use bitcoin::Amount;
use bitcoin::hashes::Hash;
use ed25519_dalek::{Signer, SigningKey};
use oracle::company::{Company, wallet};
use oracle::dice::Dice;
use policies::approval::Approval;
use policies::authority::{Authority, SignedAuthority};
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::history::Charge;
use policies::id::{PermitId, VaultId};
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Permit, PermitStatement, PermitVault, Receipt, ReceiptStatement, Trail};
use policies::request::{Head, Request, SignedRequest};
use policies::spend::Spend;
use std::fmt::Debug;

/// A charge stands after its spend; the two together are read to their end.
#[derive(Debug, PartialEq)]
struct ChargeAlone(Spend, Charge);

impl Canonical for ChargeAlone {
    const TAG: &'static str = "airlock/test-charge/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.0.to_bytes());
        self.1.encode(to);
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let spend = Spend::from_bytes(from.string("spend", 4_096)?)?;
        let charge = Charge::decode(from, &spend)?;
        Ok(Self(spend, charge))
    }
}

/// Every truncation, some extensions, and every single byte changed in several ways.
fn is_strict<T: Canonical + PartialEq + Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value), "it survives its bytes");
    for end in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..end]).is_err(), "{}: cut off at {end}", T::TAG);
    }
    for tail in [&[0][..], &[1], &[255], &[0; 4], &[0; 32], &bytes] {
        assert!(T::from_bytes(&[&bytes, tail].concat()).is_err(), "{}: {tail:?} added", T::TAG);
    }
    let mut changed = bytes.clone();
    for at in 0..bytes.len() {
        for flip in [1, 2, 0x80, 0xff] {
            changed[at] ^= flip;
            if let Ok(other) = T::from_bytes(&changed) {
                assert_ne!(other, *value, "{}: byte {at} says nothing", T::TAG);
                assert_eq!(other.to_bytes(), changed, "{}: byte {at} has two encodings", T::TAG);
            }
            changed[at] = bytes[at];
        }
    }
}

fn signature(namespace: Namespace, message: &[u8]) -> SshSig {
    let key = SigningKey::from_bytes(&[7; 32]);
    SshSig::create(&public(), namespace, message, |data| key.sign(data).to_bytes())
}

fn public() -> PublicKey {
    PublicKey::ed25519(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes())
}

fn companies() -> impl Iterator<Item = Company> {
    (0..12).map(|seed| Company::roll(&mut Dice::seeded(seed)))
}

fn head() -> Head {
    Head { vault: VaultId::of(b"vault"), sequence: 7, hash: [9; 32] }
}

fn a_request() -> Request {
    let asked = companies().find_map(|company| company.payment.request.filter(|r| !r.replaces.is_empty()));
    Request { heads: vec![head()], ..asked.unwrap() }
}

fn a_spend() -> Spend {
    companies().map(|company| company.payment.spend).max_by_key(|spend| spend.outputs().len()).unwrap()
}

#[test]
fn spends_requests_and_charges_have_one_encoding() {
    for company in companies() {
        is_strict(&company.payment.spend);
        company.payment.request.iter().for_each(is_strict);
        is_strict(&ChargeAlone(company.payment.spend.clone(), company.case().charge()));
    }
    is_strict(&a_request());
}

#[test]
fn policies_have_one_encoding() {
    companies().for_each(|company| is_strict(&company.policy));
}

#[test]
fn signed_requests_and_approvals_have_one_encoding() {
    let request = a_request();
    is_strict(&SignedRequest { request: request.clone(), signature: None });
    let signed = signature(Namespace::Request, &request.to_bytes());
    is_strict(&SignedRequest { request: request.clone(), signature: Some(signed) });
    let signed = signature(Namespace::Approve, request.approval_text().as_bytes());
    is_strict(&Approval { request: request.id(), signature: signed });
}

#[test]
fn permits_and_receipts_have_one_encoding() {
    let (spend, request) = (a_spend(), a_request());
    let statement = PermitStatement {
        network: wallet().network(),
        wallet: wallet().id(),
        vaults: vec![PermitVault { vault: head().vault, sequence: 3, previous: [4; 32] }],
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        outflow: spend.outflow(),
        fee: Amount::from_sat(500),
        request: request.id(),
        approvals: vec![[5; 32], [6; 32]],
        policy_version: 2,
        policy: companies().next().unwrap().policy.id(),
        revocation_version: 0,
        anchor: spend.anchor(),
        replaces: vec![PermitId::of(b"earlier")],
        dead: vec![spend.id()],
        heads: vec![head()],
        issued_mtp: 1_000,
        issued: 2_000,
        expires: 3_000,
    };
    is_strict(&statement);
    let trail = Trail { vault: head().vault, start: [8; 32], permits: vec![PermitId::of(b"between")] };
    let signed = signature(Namespace::Permit, &statement.to_bytes());
    is_strict(&Permit { statement: statement.clone(), signature: signed, trails: vec![trail] });
    let receipt = ReceiptStatement {
        network: wallet().network(),
        wallet: wallet().id(),
        head: head(),
        spend: spend.id(),
        unsigned_txid: bitcoin::Txid::from_byte_array([3; 32]),
        permit: Some(statement.id()),
    };
    is_strict(&receipt);
    let signed = signature(Namespace::Receipt, &receipt.to_bytes());
    is_strict(&Receipt { statement: receipt, signature: signed });
}

#[test]
fn authorities_have_one_encoding() {
    let company = companies().next().unwrap();
    let authority =
        Authority { company: "Small AG".to_owned(), permit_keys: vec![public()], policy: company.policy };
    is_strict(&authority);
    let signatures = vec![signature(Namespace::Authority, &authority.to_bytes())];
    is_strict(&SignedAuthority { authority, signatures });
}
