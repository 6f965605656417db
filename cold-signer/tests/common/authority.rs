//! A company: its keys and its authority.

use ed25519_dalek::{Signer, SigningKey};
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::policy::{Allow, Destination, Policy, PolicyTerms, Requester, WalletTerms};
use std::collections::BTreeMap;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey::ed25519(key(n).verifying_key().to_bytes())
}

pub fn sign(n: u8, namespace: Namespace, message: &[u8]) -> SshSig {
    SshSig::create(&public(n), namespace, message, |data| key(n).sign(data).to_bytes())
}

/// Terminal's key 1, permit key 2; everything from wallet `main` to anyone.
pub fn authority() -> Authority {
    let policy = Policy::new(PolicyTerms {
        company: "Two Friends GmbH".to_owned(),
        version: 1,
        previous: None,
        valid_until: None,
        people: BTreeMap::from([("payroll".to_owned(), vec![Requester::Key(public(1))])]),
        wallets: BTreeMap::from([("main".to_owned(), WalletTerms::default())]),
        allows: vec![Allow {
            name: "all".to_owned(),
            requesters: vec!["payroll".to_owned()],
            wallet: "main".to_owned(),
            to: vec![Destination::Anyone],
        }],
        limits: vec![],
        permit_valid_for: 86_400,
    })
    .unwrap();
    Authority { company: "Two Friends GmbH".to_owned(), permit_keys: vec![public(2)], policy }
}

/// The text of its `authority.pub`.
pub fn armor() -> String {
    let authority = authority();
    let signatures = vec![sign(2, Namespace::Authority, &authority.to_bytes())];
    SignedAuthority { authority, signatures }.to_armor()
}
