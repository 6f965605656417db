//! C34: requests, approvals and permits that are not what they must be, in the envelope of an honest PSBT.

use bitcoin::Amount;
use bitcoin::Network;
use cold_wire::{Bundle, NewKey, ReplyBody, RequestBody};
use policies::codec::Canonical;
use policies::id::{SpendId, VaultId, WalletId};
use policies::identity::Namespace;
use policies::permit::{Permit, PermitStatement, PermitVault, vault_id};
use policies::request::{Head, Request, SignedRequest};
use policies::wallet::ScriptKind;
use psbt_tools::build::build;
use psbt_tools::envelope::{Envelope, Kind};

use crate::company::{Company, DESK, GATE, permit, public, sign, signed_authority, signed_request};
use crate::corpus::attempt::{Attempt, Tampering, attempt_with};
use crate::corpus::desk::Desk;
use crate::corpus::row::Off;

/// One edit of the papers that come with a payment.
pub struct Case {
    pub name: &'static str,
    pub edit: fn(&mut Bundle, &Company),
    pub off: Off,
}

impl Case {
    pub fn title(&self) -> String {
        format!("C34 {}", self.name)
    }
}

const fn case(name: &'static str, edit: fn(&mut Bundle, &Company)) -> Case {
    Case { name, edit, off: Off::Alone }
}

const fn nobody_asks(name: &'static str, edit: fn(&mut Bundle, &Company)) -> Case {
    Case { name, edit, off: Off::Never("without a requester there is nobody to charge") }
}

pub const CASES: &[Case] = &[
    nobody_asks("no request", |bundle, _| bundle.request = None),
    nobody_asks("a request without a signature", |bundle, _| {
        bundle.request.as_mut().unwrap().signature = None;
    }),
    nobody_asks("a request signed for another purpose", |bundle, _| {
        let request = bundle.request.clone().unwrap().request;
        let signature = Some(sign(DESK, Namespace::Approve, &request.to_bytes()));
        bundle.request = Some(SignedRequest { request, signature });
    }),
    nobody_asks("a request changed after it was signed", |bundle, _| {
        bundle.request.as_mut().unwrap().request.payment += 1;
    }),
    case("an expired request", |bundle, company| asked(bundle, company, |request| request.expires = 1_000)),
    case("a request for another amount", |bundle, company| {
        asked(bundle, company, |request| request.recipients[0].amount += Amount::ONE_SAT);
    }),
    case("a request for another recipient", |bundle, company| {
        asked(bundle, company, |request| request.recipients[0].script = crate::company::stranger(40));
    }),
    case("a request with a lower fee ceiling", |bundle, company| {
        asked(bundle, company, |request| request.max_fee = Amount::from_sat(9_999));
    }),
    case("a request for another wallet", |bundle, company| {
        asked(bundle, company, |request| request.wallet = WalletId::of(b"another"));
    }),
    case("a request for another network", |bundle, company| {
        asked(bundle, company, |request| request.network = Network::Signet);
    }),
    case("a request that saw a later record of this vault", |bundle, company| {
        let vault = company.vault;
        asked(bundle, company, |request| request.heads = vec![Head { vault, sequence: 900, hash: [7; 32] }]);
    }),
    case("no permit", |bundle, _| bundle.permits.clear()),
    case("a permit by another key", |bundle, _| {
        let statement = bundle.permits[0].statement.clone();
        bundle.permits = vec![permit(GATE + 1, statement)];
    }),
    case("a permit signed for another purpose", |bundle, _| {
        let statement = bundle.permits[0].statement.clone();
        let signature = sign(GATE, Namespace::Request, &statement.to_bytes());
        bundle.permits = vec![Permit { statement, signature, trails: vec![] }];
    }),
    case("an expired permit", |bundle, _| permitted(bundle, |statement| statement.expires = 1_000)),
    case("a permit for another spend", |bundle, _| {
        permitted(bundle, |statement| statement.spend = SpendId::of(b"another"));
    }),
    case("a permit for another vault", |bundle, _| {
        permitted(bundle, |statement| {
            let vault = vault_id(&public(9));
            statement.vaults = vec![PermitVault { vault, ..statement.vaults[0] }];
        });
    }),
    case("a permit for another wallet", |bundle, _| {
        permitted(bundle, |statement| statement.wallet = WalletId::of(b"another"));
    }),
    case("a permit for another network", |bundle, _| {
        permitted(bundle, |statement| statement.network = Network::Signet);
    }),
    case("a permit for a smaller outflow", |bundle, _| {
        permitted(bundle, |statement| statement.outflow -= Amount::ONE_SAT);
    }),
    case("a permit for another fee", |bundle, _| {
        permitted(bundle, |statement| statement.fee += Amount::ONE_SAT)
    }),
    case("a permit for another request", |bundle, company| {
        let request = Request { payment: 7_777, ..bundle.request.clone().unwrap().request };
        let other = company.statement(&bundle.spend, &request, 1, [0; 32]);
        permitted(bundle, |statement| statement.request = other.request);
    }),
    case("a permit under an older policy", |bundle, _| {
        permitted(bundle, |statement| statement.policy_version = 0);
    }),
    case("a permit of another chain", |bundle, _| {
        permitted(bundle, |statement| statement.vaults[0].previous = [9; 32]);
    }),
    case("a permit that saw a later record of this vault", |bundle, company| {
        let vault = company.vault;
        permitted(bundle, |statement| {
            statement.heads = vec![Head { vault, sequence: 900, hash: [7; 32] }];
        });
    }),
];

/// Another request by the desk, and the permit for it.
fn asked(bundle: &mut Bundle, company: &Company, edit: impl FnOnce(&mut Request)) {
    let mut request = bundle.request.clone().unwrap().request;
    edit(&mut request);
    let place = bundle.permits[0].statement.vaults[0];
    let mut statement = company.statement(&bundle.spend, &request, place.sequence, place.previous);
    statement.anchor = request.anchor;
    bundle.permits = vec![permit(GATE, statement)];
    bundle.request = Some(signed_request(DESK, request));
}

/// Another statement by the gatekeeper.
fn permitted(bundle: &mut Bundle, edit: impl FnOnce(&mut PermitStatement)) {
    let mut statement = bundle.permits[0].statement.clone();
    edit(&mut statement);
    bundle.permits = vec![permit(GATE, statement)];
}

/// A vault that obeys the company, and the chain of its permits.
pub struct Office {
    desk: Desk,
    company: Company,
    number: u32,
    sequence: u64,
    chain: [u8; 32],
}

impl Office {
    pub fn open() -> Self {
        let mut desk = Desk::empty();
        let pinned = desk.ask(RequestBody::PinAuthority(signed_authority().to_bytes())).expect("pinned");
        assert!(matches!(pinned, ReplyBody::Pinned { .. }));
        let key = NewKey {
            wallet: "savings".to_owned(),
            network: Network::Regtest,
            kind: ScriptKind::Wpkh,
            words: 24,
            account: 0,
            limit: None,
            dice: vec![],
        };
        let Ok(ReplyBody::Key(key)) = desk.ask(RequestBody::NewKey(key)) else { panic!("no key") };
        let Ok(ReplyBody::Keys { vault, .. }) = desk.ask(RequestBody::List) else { panic!("no list") };
        let vault: VaultId = vault;
        let company = Company { vault, wallet: key.registered().expect("a wallet") };
        // A permit of the chain is used first, so that another chain contradicts it.
        let mut office = Self { desk, company, number: 0, sequence: 0, chain: [0; 32] };
        assert!(office.twin().is_signed());
        office
    }

    /// A payment of new coins with papers that do not hold.
    pub fn hostile(&mut self, case: &Case) -> Attempt {
        let mut bundle = self.bundle();
        (case.edit)(&mut bundle, &self.company);
        self.attempt(&bundle)
    }

    /// The same payment with honest papers.
    pub fn twin(&mut self) -> Attempt {
        let bundle = self.bundle();
        let came = self.attempt(&bundle);
        if came.is_signed() {
            self.sequence += 1;
            self.number += 1;
            self.chain = bundle.permits[0].statement.chain_after(self.company.vault).expect("its place");
        }
        came
    }

    fn bundle(&self) -> Bundle {
        let (parts, previous) = self.company.parts(self.number + 1);
        self.company.bundle(parts, previous, self.sequence + 1, self.chain)
    }

    /// By way of a file.
    fn attempt(&mut self, bundle: &Bundle) -> Attempt {
        let mut psbt = build(&bundle.spend, &bundle.evidence, &self.company.wallet).expect("a PSBT");
        let mut envelope = Envelope::default();
        if let Some(request) = &bundle.request {
            envelope.insert(Kind::Request, request.to_bytes()).expect("room");
        }
        for permit in &bundle.permits {
            envelope.insert(Kind::Permit, permit.to_bytes()).expect("room");
        }
        envelope.write(&mut psbt);
        let wallets = [self.company.wallet.clone()];
        attempt_with(|body| self.desk.ask(body), &wallets, psbt.serialize(), &[], Tampering::default())
    }
}
