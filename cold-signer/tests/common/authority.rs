//! A company: its keys and its authority.

use bitcoin::Amount;
use ed25519_dalek::{Signer, SigningKey};
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::policy::{
    Above, Allow, DEFAULT_HEADERS_MAX_AGE, Destination, Policy, PolicyTerms, Quorum, Requester, Require,
    SumBy, WalletTerms,
};
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

/// Terminal's key 1, permit key 2; everything from wallet `main` to anyone, above 0.3 BTC with approvals by anna (key 3)
/// and ben (key 4).
pub fn authority() -> Authority {
    let policy = Policy::new(PolicyTerms {
        company: "Two Friends GmbH".to_owned(),
        version: 1,
        previous: None,
        valid_until: None,
        people: [("payroll", 1), ("anna", 3), ("ben", 4)]
            .map(|(name, n)| (name.to_owned(), vec![Requester::Key(public(n))]))
            .into(),
        groups: BTreeMap::new(),
        wallets: BTreeMap::from([("main".to_owned(), WalletTerms::default())]),
        allows: vec![Allow {
            name: "all".to_owned(),
            requesters: vec!["payroll".to_owned()],
            wallet: "main".to_owned(),
            to: vec![Destination::Anyone],
        }],
        limits: vec![],
        requires: vec![Require {
            name: "Large".to_owned(),
            requesters: None,
            wallet: None,
            above: Some(Above {
                seconds: 86_400,
                amount: Amount::from_sat(30_000_000),
                by: SumBy { requester: true, destination: true },
            }),
            approvals: ["anna", "ben"].map(|name| Quorum { from: name.to_owned(), count: 1 }).to_vec(),
        }],
        permit_valid_for: 86_400,
        headers_max_age: DEFAULT_HEADERS_MAX_AGE,
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
