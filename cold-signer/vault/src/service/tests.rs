//! A company's vault without its process: windows, approvals, replacements and the chain of permits, as it judges them
//! itself, with a clock that the tests set.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash};
use cold_wire::{NewKey, Replaced, Review, Signed};
use ed25519_dalek::{Signer, SigningKey};
use policies::approval::Approval;
use policies::authority::{Authority, SignedAuthority};
use policies::check::{Check, Outcome};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Permit, PermitStatement, PermitVault, Trail};
use policies::policy::{
    Above, Allow, Destination, Limit, PolicyTerms, Quorum, Replacement, Requester, Require, SumBy,
    WalletTerms, Window,
};
use policies::request::{Head, Recipient, Request as Asked, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};

use super::*;
use crate::seal::KdfCost;

pub(super) const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3_600;
const YEAR: u64 = 365 * DAY;
const FAR: u64 = 4_000_000_000;
const COIN: u64 = 100_000_000;
const FEE: u64 = 10_000;

/// Keys: the desk asks, the gatekeeper permits, anna holds two, carol is in no group.
const DESK: u8 = 3;
const GATE: u8 = 5;
const ANNA: u8 = 6;
const ANNA_TOO: u8 = 7;
const BEN: u8 = 8;
const CAROL: u8 = 9;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey::ed25519(key(n).verifying_key().to_bytes())
}

fn signature(n: u8, namespace: Namespace, message: &[u8]) -> SshSig {
    SshSig::create(&public(n), namespace, message, |data| key(n).sign(data).to_bytes())
}

fn stranger(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

/// At most 1 BTC and 3 payments a day; above 0.3 BTC to one destination both managers.
fn terms() -> PolicyTerms {
    let people = [("desk", &[DESK][..]), ("anna", &[ANNA, ANNA_TOO]), ("ben", &[BEN]), ("carol", &[CAROL])];
    let keys = |keys: &[u8]| keys.iter().map(|n| Requester::Key(public(*n))).collect();
    PolicyTerms {
        company: "Two Friends GmbH".to_owned(),
        version: 1,
        previous: None,
        valid_until: None,
        people: people.iter().map(|(name, numbers)| ((*name).to_owned(), keys(numbers))).collect(),
        groups: BTreeMap::from([("managers".to_owned(), vec!["anna".to_owned(), "ben".to_owned()])]),
        wallets: BTreeMap::from([("savings".to_owned(), WalletTerms::default())]),
        allows: vec![Allow {
            name: "Desk and managers pay anyone".to_owned(),
            requesters: vec!["desk".to_owned(), "managers".to_owned()],
            wallet: "savings".to_owned(),
            to: vec![Destination::Anyone],
        }],
        limits: vec![Limit {
            name: "A day".to_owned(),
            requesters: None,
            wallet: None,
            per_payment: None,
            per_window: Some(Window { seconds: DAY, amount: Some(Amount::ONE_BTC), count: Some(3) }),
            fee: None,
        }],
        requires: vec![Require {
            name: "Large".to_owned(),
            requesters: None,
            wallet: None,
            above: Some(Above {
                seconds: DAY,
                amount: Amount::from_sat(30_000_000),
                by: SumBy { requester: false, destination: true },
            }),
            approvals: vec![Quorum { from: "managers".to_owned(), count: 2 }],
        }],
        permit_valid_for: YEAR,
        headers_max_age: DAY,
    }
}

/// A spend before it is one: coins of 1 BTC, what is paid to whom, the fee; the rest comes back.
#[derive(Clone)]
struct Pay {
    coins: Vec<u32>,
    to: u8,
    sat: u64,
    fee: u64,
}

/// 0.25 BTC from a coin to a destination of its own.
fn pay(coin: u32) -> Pay {
    Pay { coins: vec![coin], to: u8::try_from(100 + coin).unwrap(), sat: 25_000_000, fee: FEE }
}

struct Stage {
    folder: tempfile::TempDir,
    vault: Vault,
    id: VaultId,
    wallet: Wallet,
    sequence: u64,
    chain: [u8; 32],
}

impl Stage {
    /// Bytes of the store and whatever is beside it.
    fn size(&self) -> u64 {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    /// A company with this policy; a person alone without one.
    fn set(policy: Option<PolicyTerms>) -> Self {
        clock(NOW);
        let folder = tempfile::tempdir().unwrap();
        let store = created(&folder.path().join("store"));
        let id = VaultId::from_bytes(store.vault_id());
        let mut vault = greeted(store, Some(passphrase()));
        if let Some(terms) = policy {
            let authority = Authority {
                company: terms.company.clone(),
                permit_keys: vec![public(GATE)],
                policy: Policy::new(terms).unwrap(),
            };
            let signatures = vec![signature(GATE, Namespace::Authority, &authority.to_bytes())];
            let signed = SignedAuthority { authority, signatures };
            ask(&mut vault, RequestBody::PinAuthority(signed.to_bytes())).unwrap();
        }
        let new = RequestBody::NewKey(NewKey {
            wallet: "savings".to_owned(),
            network: Network::Regtest,
            kind: ScriptKind::Wpkh,
            words: 12,
            account: 0,
            limit: None,
            dice: vec![],
        });
        let Ok(ReplyBody::Key(key)) = ask(&mut vault, new) else { panic!("no key") };
        let wallet = key.registered().unwrap();
        Self { folder, vault, id, wallet, sequence: 0, chain: [0; 32] }
    }

    /// The vault ends, and another one opens its store.
    fn restart(self) -> Self {
        let Self { folder, vault, id, wallet, sequence, chain } = self;
        drop(vault);
        let store = Store::open(&folder.path().join("store")).ok().unwrap();
        Self { vault: greeted(store, Some(passphrase())), folder, id, wallet, sequence, chain }
    }

    fn spend(&self, pay: &Pay) -> (Spend, Evidence) {
        let at = |branch, index| Keypath { branch, index };
        let previous: Vec<_> = pay.coins.iter().map(|coin| self.coin(*coin)).collect();
        let inputs = pay.coins.iter().zip(&previous).map(|(coin, previous)| SpendInput {
            outpoint: OutPoint { txid: previous.compute_txid(), vout: 0 },
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            value: Amount::from_sat(COIN),
            keypath: at(Branch::External, *coin),
        });
        let inputs: Vec<_> = inputs.collect();
        let change = at(Branch::Internal, pay.coins[0]);
        let back = COIN * u64::try_from(inputs.len()).unwrap() - pay.sat - pay.fee;
        let mut outputs = vec![SpendOutput {
            value: Amount::from_sat(back),
            script: self.wallet.script(change).unwrap(),
            own: Some(change),
        }];
        if pay.sat > 0 {
            outputs.push(SpendOutput {
                value: Amount::from_sat(pay.sat),
                script: stranger(pay.to),
                own: None,
            });
        }
        let spend = Spend::new(SpendParts {
            network: Network::Regtest,
            wallet: self.wallet.id(),
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            inputs,
            outputs,
        });
        (spend.unwrap(), Evidence::new(previous))
    }

    fn coin(&self, n: u32) -> Transaction {
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::from_consensus(n),
            input: vec![TxIn::default()],
            output: vec![TxOut {
                value: Amount::from_sat(COIN),
                script_pubkey: self.wallet.script(Keypath { branch: Branch::External, index: n }).unwrap(),
            }],
        }
    }

    /// The file of a payment with the next permit of this vault.
    fn file(&self, pay: &Pay) -> Bundle {
        let (spend, evidence) = self.spend(pay);
        let bundle = Bundle { spend, evidence, request: None, approvals: vec![], permits: vec![] };
        let request = asked(&bundle.spend);
        self.requested(bundle, DESK, request)
    }

    /// The same with this request, signed by this key, and a permit for it.
    fn requested(&self, mut bundle: Bundle, by: u8, request: Asked) -> Bundle {
        let statement = self.statement(&bundle.spend, &request);
        let message = Some(signature(by, Namespace::Request, &request.to_bytes()));
        bundle.request = Some(SignedRequest { request, signature: message });
        bundle.permits = vec![permit(statement, vec![])];
        bundle
    }

    /// The next permit of this vault.
    fn statement(&self, spend: &Spend, request: &Asked) -> PermitStatement {
        PermitStatement {
            network: spend.network(),
            wallet: spend.wallet(),
            vaults: vec![PermitVault { vault: self.id, sequence: self.sequence + 1, previous: self.chain }],
            spend: spend.id(),
            unsigned_txid: spend.unsigned_txid(),
            outflow: spend.outflow(),
            fee: spend.fee(),
            request: request.id(),
            approvals: vec![],
            policy_version: 1,
            policy: Policy::new(terms()).unwrap().id(),
            revocation_version: 0,
            anchor: request.anchor,
            replaces: vec![],
            dead: vec![],
            heads: vec![],
            issued_mtp: NOW,
            issued: NOW,
            expires: FAR,
        }
    }

    fn sign_accepting(&mut self, bundle: &Bundle, accepted: &[Check]) -> Result<Signed, Fault> {
        let (consent, accepted) = (bundle.spend.id(), accepted.to_vec());
        match ask(&mut self.vault, RequestBody::Sign { bundle: bundle.clone(), consent, accepted })? {
            ReplyBody::Signed(signed) => {
                if let Some(permit) = bundle.permits.first() {
                    let place = permit.statement.vaults[0];
                    if place.sequence > self.sequence {
                        self.sequence = place.sequence;
                        self.chain = permit.statement.chain_after(self.id).unwrap();
                    }
                }
                Ok(signed)
            }
            _ => panic!("no signatures"),
        }
    }

    /// The code of the refusal, or nothing when it is signed.
    fn sign(&mut self, bundle: &Bundle) -> String {
        self.sign_accepting(bundle, &[]).err().map(|fault| fault.code).unwrap_or_default()
    }

    fn review(&mut self, bundle: &Bundle) -> Review {
        match ask(&mut self.vault, RequestBody::Review(bundle.clone())) {
            Ok(ReplyBody::Review(review)) => *review,
            _ => panic!("no review"),
        }
    }
}

pub(super) fn passphrase() -> Passphrase {
    Passphrase::new(b"right").ok().unwrap()
}

/// A store that opens fast.
pub(super) fn created(path: &std::path::Path) -> Store {
    let cost = KdfCost { memory_kib: 64, passes: 3, lanes: 1 };
    Store::create(path, &passphrase(), cost, NOW).ok().unwrap()
}

pub(super) fn greeted(store: Store, passphrase: Option<Passphrase>) -> Vault {
    let source = passphrase.map(PassphraseSource::Given);
    let mut vault = Vault::new(store, source, None, vec![], vec![]);
    ask(&mut vault, RequestBody::Hello { protocol: PROTOCOL }).unwrap();
    vault
}

pub(super) fn ask(vault: &mut Vault, body: RequestBody) -> Result<ReplyBody, Fault> {
    // Over its bytes, as the console sends it.
    let request = Request::from_bytes(&Request { id: 1, deadline: 0, body }.to_bytes()).unwrap();
    match vault.answer(&request).body {
        ReplyBody::Fault(fault) => Err(fault),
        body => Ok(body),
    }
}

fn clock(now: u64) {
    crate::clock::tests::SET.set(Some(now));
}

fn asked(spend: &Spend) -> Asked {
    Asked {
        network: spend.network(),
        wallet: spend.wallet(),
        payment: 42,
        recipients: Recipient::of(spend),
        purpose: "invoice 2026-117".to_owned(),
        max_fee: Amount::from_sat(50_000),
        anchor: spend.anchor(),
        created: NOW,
        expires: FAR,
        heads: vec![],
        replaces: vec![],
    }
}

fn permit(statement: PermitStatement, trails: Vec<Trail>) -> Permit {
    let signature = signature(GATE, Namespace::Permit, &statement.to_bytes());
    Permit { statement, signature, trails }
}

/// The file with another permit.
fn repermitted(bundle: &Bundle, edit: impl FnOnce(&mut PermitStatement)) -> Bundle {
    let mut statement = bundle.permits[0].statement.clone();
    edit(&mut statement);
    Bundle { permits: vec![permit(statement, vec![])], ..bundle.clone() }
}

fn approval(n: u8, request: &Asked) -> Approval {
    let signature = signature(n, Namespace::Approve, request.approval_text().as_bytes());
    Approval { request: request.id(), signature }
}

fn approved(bundle: &Bundle, by: &[u8]) -> Bundle {
    let request = &bundle.request.as_ref().unwrap().request;
    Bundle { approvals: by.iter().map(|n| approval(*n, request)).collect(), ..bundle.clone() }
}

fn without_approvals() -> PolicyTerms {
    PolicyTerms { requires: vec![], ..terms() }
}

#[test]
fn budget_returns_only_when_clock_and_bitcoin_time_both_pass() {
    let mut stage = Stage::set(Some(without_approvals()));
    let first = stage.file(&Pay { sat: 90_000_000, ..pay(1) });
    assert_eq!(stage.sign(&first), "");
    let second = stage.file(&Pay { sat: 20_000_000, ..pay(2) });
    assert_eq!(stage.sign(&second), "limit-per-window");
    for (claim, now, mtp, code) in [
        ("the clock a year ahead, bitcoin time stands still", NOW + YEAR, NOW, "limit-per-window"),
        ("bitcoin time behind the charge", NOW + YEAR, NOW - YEAR, "limit-per-window"),
        ("a gatekeeper that never saw a header", NOW + YEAR, 0, "limit-per-window"),
        ("bitcoin time a year ahead of the clock", NOW, NOW + YEAR, "limit-per-window"),
        ("bitcoin time at the end of time", NOW, u64::MAX, "limit-per-window"),
        ("both, one second too early", NOW + DAY - 1, NOW + DAY - 1, "limit-per-window"),
        ("both, a day later", NOW + DAY, NOW + DAY, ""),
    ] {
        clock(now);
        let file = repermitted(&second, |statement| statement.issued_mtp = mtp);
        assert_eq!(stage.sign(&file), code, "{claim}");
    }
    // Bitcoin time never runs backwards: a permit that was kept since yesterday is charged today.
    let kept = stage.file(&Pay { sat: 75_000_000, ..pay(3) });
    assert_eq!(stage.sign(&kept), "");
    let today = stage.file(&Pay { sat: 10_000_000, ..pay(4) });
    let today = repermitted(&today, |statement| statement.issued_mtp = NOW + DAY);
    assert_eq!(stage.sign(&today), "limit-per-window");
}

#[test]
fn approvals_are_verified_and_counted_by_the_vault() {
    let mut stage = Stage::set(Some(terms()));
    let large = stage.file(&Pay { sat: 40_000_000, ..pay(1) });
    let other = stage.file(&Pay { sat: 40_000_000, ..pay(2) });
    let [mine, others] = [&large, &other].map(|bundle| bundle.request.as_ref().unwrap().request.clone());
    let wrong_text = Approval {
        request: mine.id(),
        signature: signature(BEN, Namespace::Request, mine.approval_text().as_bytes()),
    };
    for (claim, approvals) in [
        ("a stolen permit key alone", vec![]),
        ("one of two", vec![approval(ANNA, &mine)]),
        ("one person twice", vec![approval(ANNA, &mine), approval(ANNA, &mine)]),
        ("one person with two keys", vec![approval(ANNA, &mine), approval(ANNA_TOO, &mine)]),
        ("somebody of no group", vec![approval(ANNA, &mine), approval(CAROL, &mine)]),
        ("the permit key itself", vec![approval(ANNA, &mine), approval(GATE, &mine)]),
        ("who asked", vec![approval(ANNA, &mine), approval(DESK, &mine)]),
        ("of another request", vec![approval(ANNA, &others), approval(BEN, &others)]),
        ("of another request, renamed", {
            let renamed = Approval { request: mine.id(), ..approval(BEN, &others) };
            vec![approval(ANNA, &mine), renamed]
        }),
        ("a signature for another purpose", vec![approval(ANNA, &mine), wrong_text]),
    ] {
        let file = Bundle { approvals, ..large.clone() };
        let fault = stage.sign_accepting(&file, &[]).unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Refused, "approvals-missing"), "{claim}");
        assert!(fault.message.contains("`Large` needs") && fault.message.contains("`managers`"), "{claim}");
    }
    let file = approved(&large, &[BEN, ANNA, CAROL, DESK, GATE]);
    let review = stage.review(&file);
    let by: Vec<_> = review.approvals.iter().map(|approval| approval.by.as_str()).collect();
    assert_eq!(by.len(), 3, "{by:?}");
    assert!(["anna", "ben", "carol"].iter().all(|name| by.contains(name)), "{by:?}");
    let voucher = review.voucher.unwrap();
    let place = &file.permits[0].statement.vaults[0];
    assert_eq!((voucher.bitcoin_time, voucher.sequence), (NOW, place.sequence));
    assert!(place.vault == stage.id && place.sequence > 0);
    assert_eq!(stage.sign(&file), "");
    // To the same destination again: the sum counts, and an approval is not used twice.
    let more = stage.file(&Pay { sat: 10_000, fee: 9_000, ..Pay { to: 101, ..pay(3) } });
    assert_eq!(
        stage.sign(&Bundle { approvals: file.approvals.clone(), ..more.clone() }),
        "approvals-missing"
    );
    assert_eq!(stage.sign(&approved(&more, &[ANNA, BEN])), "");
}

#[test]
fn who_asks_does_not_approve_with_another_key_either() {
    let mut stage = Stage::set(Some(terms()));
    let file = stage.file(&Pay { sat: 40_000_000, ..pay(1) });
    let request = file.request.clone().unwrap().request;
    let file = stage.requested(file, ANNA, request);
    assert_eq!(stage.sign(&approved(&file, &[ANNA_TOO, BEN])), "approvals-missing");
    let by: Vec<_> = stage.review(&approved(&file, &[ANNA_TOO, BEN])).approvals;
    assert_eq!(by.len(), 1, "{by:?}");
}

#[test]
fn a_higher_fee_of_the_same_request_is_signed_and_charged_once() {
    let mut stage = Stage::set(Some(terms()));
    let first = Pay { sat: 40_000_000, ..pay(1) };
    let file = approved(&stage.file(&first), &[ANNA, BEN]);
    assert_eq!(stage.sign(&file), "");
    // A payment of the same wallet beside it is not replaced.
    let aside = stage.file(&Pay { sat: 1_000_000, ..pay(3) });
    assert_eq!(stage.sign(&aside), "");
    // The same signed request and the same approvals, another spend.
    let request = file.request.clone().unwrap().request;
    let (spend, evidence) = stage.spend(&Pay { fee: 20_000, ..first.clone() });
    let bundle = Bundle { spend, evidence, ..file.clone() };
    let bumped = stage.requested(bundle, DESK, request.clone());
    let review = stage.review(&bumped);
    assert_eq!(review.replaces, [Replaced { spend: file.spend.id(), fee: Amount::from_sat(FEE) }]);
    assert_eq!(stage.sign(&bumped), "");
    assert!(stage.review(&bumped).signed_before && stage.review(&file).signed_before);
    // 0.4002 and 0.0101 BTC of the day's 1 BTC are charged, not 0.8003: the rest can be spent to the last satoshi.
    let rest = COIN - 40_020_000 - 1_010_000 - FEE;
    let over = stage.file(&Pay { sat: rest + 1, ..pay(2) });
    assert_eq!(stage.sign(&approved(&over, &[ANNA, BEN])), "limit-per-window");
    let exact = stage.file(&Pay { sat: rest, ..pay(2) });
    assert_eq!(stage.sign(&approved(&exact, &[ANNA, BEN])), "");
    // Above what the request allows.
    let (spend, evidence) = stage.spend(&Pay { fee: 60_000, ..first });
    let dear = stage.requested(Bundle { spend, evidence, ..file }, DESK, request);
    assert_eq!(stage.sign(&dear), "C34");
}

#[test]
fn an_undeclared_overlap_is_refused_and_a_declared_one_signed() {
    let mut stage = Stage::set(Some(without_approvals()));
    let first = stage.file(&pay(1));
    assert_eq!(stage.sign(&first), "");
    let earlier = first.request.clone().unwrap().request;
    let (spend, evidence) = stage.spend(&Pay { fee: 20_000, ..pay(1) });
    let bundle = Bundle { spend, evidence, ..first.clone() };
    let mut request = Asked { payment: 43, ..asked(&bundle.spend) };
    let silent = stage.requested(bundle.clone(), DESK, request.clone());
    assert_eq!(stage.sign(&silent), "not-replaceable");
    // The same coin beside another one, which is the anchor: no replacement at all.
    let (spend, evidence) = stage.spend(&Pay { coins: vec![2, 1], ..pay(2) });
    let mut aside = asked(&spend);
    aside.anchor = OutPoint { txid: stage.coin(2).compute_txid(), vout: 0 };
    let aside = stage.requested(Bundle { spend, evidence, ..first.clone() }, DESK, aside);
    assert_eq!(stage.sign(&aside), "C05");
    request.replaces = vec![earlier.id()];
    let declared = stage.requested(bundle, DESK, request);
    assert_eq!(stage.sign(&declared), "");
    // Declared, and yet other recipients.
    let (spend, evidence) = stage.spend(&Pay { fee: 40_000, to: 77, ..pay(1) });
    let mut other = Asked { payment: 44, ..asked(&spend) };
    other.replaces = vec![earlier.id(), declared.request.as_ref().unwrap().request.id()];
    let other = stage.requested(Bundle { spend, evidence, ..first }, DESK, other);
    assert_eq!(stage.sign(&other), "not-replaceable");
}

#[test]
fn a_payment_is_taken_back_although_the_policy_wants_no_other_replacement() {
    let mut policy = without_approvals();
    policy.wallets.get_mut("savings").unwrap().replacement = Replacement::BackOnly;
    let mut stage = Stage::set(Some(policy));
    let first = stage.file(&pay(1));
    assert_eq!(stage.sign(&first), "");
    let replacing = |stage: &Stage, pay: &Pay| {
        let (spend, evidence) = stage.spend(pay);
        let mut request = Asked { payment: 43, ..asked(&spend) };
        request.replaces = vec![first.request.as_ref().unwrap().request.id()];
        stage.requested(Bundle { spend, evidence, ..first.clone() }, DESK, request)
    };
    let dearer = replacing(&stage, &Pay { fee: 20_000, ..pay(1) });
    assert_eq!(stage.sign(&dearer), "not-replaceable");
    let back = replacing(&stage, &Pay { sat: 0, fee: 20_000, ..pay(1) });
    assert_eq!(stage.sign(&back), "");
}

#[test]
fn without_an_authority_the_operator_is_asked_about_a_replacement() {
    let mut stage = Stage::set(None);
    let alone = |stage: &Stage, pay: &Pay| {
        let (spend, evidence) = stage.spend(pay);
        Bundle { spend, evidence, request: None, approvals: vec![], permits: vec![] }
    };
    let first = alone(&stage, &pay(1));
    assert_eq!(stage.sign(&first), "");
    let bumped = alone(&stage, &Pay { fee: 20_000, ..pay(1) });
    let fault = stage.sign_accepting(&bumped, &[]).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Incomplete, "C05"));
    assert!(fault.hint.contains("--accept C05"), "{}", fault.hint);
    let review = stage.review(&bumped);
    assert_eq!(review.replaces, [Replaced { spend: first.spend.id(), fee: Amount::from_sat(FEE) }]);
    assert!(stage.sign_accepting(&bumped, &[Check::SIGNED_BEFORE]).is_ok());
    let other = alone(&stage, &Pay { fee: 40_000, to: 77, ..pay(1) });
    let fault = stage.sign_accepting(&other, &[Check::SIGNED_BEFORE]).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Refused, "not-replaceable"));
}

/// Files whose permits follow one another, each with its place in the chain.
fn chained(stage: &Stage, coins: std::ops::RangeInclusive<u32>) -> Vec<(Bundle, [u8; 32])> {
    let mut previous = [0; 32];
    let files = coins.zip(1..).map(|(coin, sequence)| {
        let file = stage.file(&Pay { sat: 1_000_000, ..pay(coin) });
        let file = repermitted(&file, |statement| {
            statement.vaults[0] = PermitVault { vault: stage.id, sequence, previous };
        });
        let start = previous;
        previous = file.permits[0].statement.chain_after(stage.id).unwrap();
        (file, start)
    });
    files.collect()
}

/// The file with a trail from `from` to its own permit.
fn trailed(files: &[(Bundle, [u8; 32])], from: usize, at: usize, vault: VaultId) -> Bundle {
    let permits = files[from..at].iter().map(|(file, _)| file.permits[0].statement.id()).collect();
    let statement = files[at].0.permits[0].statement.clone();
    let trail = Trail { vault, start: files[from].1, permits };
    Bundle { permits: vec![permit(statement, vec![trail])], ..files[at].0.clone() }
}

#[test]
fn permits_are_used_in_any_order_and_a_fork_is_refused_for_ever() {
    let mut stage = Stage::set(Some(without_approvals()));
    let files = chained(&stage, 1..=3);
    assert_eq!(stage.sign(&files[2].0), "C34", "the third alone does not show where it comes from");
    assert_eq!(stage.sign(&trailed(&files, 0, 2, stage.id)), "");
    assert_eq!(stage.sign(&files[0].0), "");
    assert_eq!(stage.sign(&files[1].0), "");

    let mut stage = stage.restart();
    let twin = repermitted(&stage.file(&Pay { sat: 1_000_000, ..pay(4) }), |statement| {
        statement.vaults[0] = files[1].0.permits[0].statement.vaults[0];
    });
    let fault = stage.sign_accepting(&twin, &[]).unwrap_err();
    assert_eq!(fault.code, "C34");
    assert!(fault.message.contains("permit 2 of this vault contradicts"), "{}", fault.message);
    let twin = repermitted(&twin, |statement| statement.vaults[0].sequence = 0);
    assert_eq!(stage.sign(&twin), "C34");
}

#[test]
fn a_gap_in_the_chain_is_refused_with_the_way_out() {
    let mut stage = Stage::set(Some(without_approvals()));
    let files = chained(&stage, 1..=3);
    assert_eq!(stage.sign(&files[0].0), "");
    for (claim, file) in [
        ("no trail", files[2].0.clone()),
        ("a trail of another vault", trailed(&files, 1, 2, VaultId::from_bytes([9; 32]))),
    ] {
        let fault = stage.sign_accepting(&file, &[]).unwrap_err();
        assert_eq!(fault.code, "C34", "{claim}");
        assert!(fault.message.contains("does not show how it follows"), "{claim}: {}", fault.message);
        assert!(fault.hint.contains("gatekeeper reconcile --receipts"), "{claim}: {}", fault.hint);
    }
    let mut lies = trailed(&files, 1, 2, stage.id);
    lies.permits[0].trails[0].permits[0] = files[0].0.permits[0].statement.id();
    let fault = stage.sign_accepting(&lies, &[]).unwrap_err();
    assert!(fault.message.contains("does not lead to its place"), "{}", fault.message);
    assert_eq!(stage.sign(&trailed(&files, 1, 2, stage.id)), "");
}

/// A stolen permit key chooses the bitcoin time that its permits claim: an old one must not charge in the past.
#[test]
fn permits_that_claim_old_times_give_no_second_window() {
    let mut stage = Stage::set(Some(without_approvals()));
    let mut signed = 0;
    for n in 1..=5u32 {
        let file = stage.file(&Pay { sat: 90_000_000, ..pay(n) });
        let time = NOW - u64::from(20 - n) * DAY;
        let said = stage.sign(&repermitted(&file, |statement| statement.issued_mtp = time));
        assert!(said.is_empty() || said == "limit-per-window", "{said}");
        signed += u64::from(said.is_empty());
    }
    assert_eq!(signed, 1, "one of 0.9 BTC in a day of 1 BTC");
    let mut stage = Stage::set(Some(without_approvals()));
    let file = stage.file(&Pay { sat: 90_000_000, ..pay(1) });
    assert_eq!(stage.sign(&repermitted(&file, |statement| statement.issued_mtp = 0)), "");
    let file = stage.file(&Pay { sat: 90_000_000, ..pay(2) });
    assert_eq!(stage.sign(&file), "limit-per-window");
}

#[test]
fn a_replacement_that_leaves_a_coin_out_is_refused_before_the_coin_is_lost() {
    let mut stage = Stage::set(Some(without_approvals()));
    let first = stage.file(&Pay { coins: vec![1, 2], ..pay(1) });
    assert_eq!(stage.sign(&first), "");
    let (spend, evidence) = stage.spend(&Pay { coins: vec![1], sat: 0, fee: 20_000, ..pay(1) });
    let mut request = Asked { payment: 43, ..asked(&spend) };
    request.replaces = vec![first.request.as_ref().unwrap().request.id()];
    let back = stage.requested(Bundle { spend, evidence, ..first.clone() }, DESK, request);
    assert_eq!(stage.sign(&back), "not-replaceable");
}

#[test]
fn a_coin_of_a_spend_that_can_never_be_mined_pays_again_when_the_permit_says_so() {
    let mut stage = Stage::set(Some(without_approvals()));
    let first = stage.file(&pay(1));
    assert_eq!(stage.sign(&first), "");
    // A higher fee, and another coin for it; then the first one is mined.
    let (spend, evidence) = stage.spend(&Pay { coins: vec![1, 2], fee: 20_000, ..pay(1) });
    let mut request = Asked { payment: 43, ..asked(&spend) };
    request.replaces = vec![first.request.as_ref().unwrap().request.id()];
    let bumped = stage.requested(Bundle { spend, evidence, ..first.clone() }, DESK, request);
    assert_eq!(stage.sign(&bumped), "");
    let later = stage.file(&Pay { sat: 1_000_000, ..pay(2) });
    assert_eq!(stage.sign(&later), "C05");
    let says = |spend| repermitted(&later, |statement| statement.dead = vec![spend]);
    assert_eq!(stage.sign(&says(first.spend.id())), "C05", "another one is dead");
    assert_eq!(stage.sign(&says(bumped.spend.id())), "");
}

#[test]
fn a_payment_that_was_never_signed_here_is_taken_back_when_the_permit_says_what_it_replaces() {
    let mut stage = Stage::set(Some(without_approvals()));
    let (spend, evidence) = stage.spend(&Pay { sat: 0, fee: 20_000, ..pay(1) });
    let mut request = Asked { payment: 43, ..asked(&spend) };
    request.replaces = vec![policies::id::RequestId::of(b"permitted, and never brought here")];
    let bundle = Bundle { spend, evidence, request: None, approvals: vec![], permits: vec![] };
    let back = stage.requested(bundle, DESK, request);
    assert_eq!(stage.sign(&back), "not-allowed", "the request alone may say anything");
    let permit = policies::id::PermitId::from_bytes([7; 32]);
    assert_eq!(stage.sign(&repermitted(&back, |statement| statement.replaces = vec![permit])), "");
}

#[test]
fn a_refusal_of_a_thousand_differences_can_be_read_and_junk_is_not_kept() {
    let mut stage = Stage::set(Some(without_approvals()));
    let file = stage.file(&pay(1));
    let mut request = file.request.clone().unwrap().request;
    let recipient = |n: u64| Recipient {
        script: ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n as u8; 20])),
        amount: Amount::from_sat(1_000 + n),
    };
    request.recipients = (0..1_000).map(recipient).collect();
    let fault = stage.sign_accepting(&stage.requested(file.clone(), DESK, request), &[]).unwrap_err();
    assert!(fault.message.len() < 8_000 && fault.message.contains("more"), "{}", fault.message);
    let mut junk = file;
    junk.permits[0].trails.extend((0..30).map(|n| Trail {
        vault: VaultId::from_bytes([n; 32]),
        start: [0; 32],
        permits: vec![policies::id::PermitId::from_bytes([9; 32]); policies::permit::MAX_TRAIL],
    }));
    let before = stage.size();
    assert_eq!(stage.sign(&junk), "");
    assert!(stage.size() - before < 16_384, "nobody signed the trails of other vaults");
}

#[test]
fn a_record_that_the_gatekeeper_saw_must_be_in_the_store() {
    let mut stage = Stage::set(Some(without_approvals()));
    let first = stage.file(&pay(1));
    let head = stage.sign_accepting(&first, &[]).unwrap().receipt.statement.head;
    let second = stage.file(&pay(2));
    let with = |head: Head| repermitted(&second, |statement| statement.heads = vec![head]);
    assert_eq!(stage.sign(&with(Head { hash: [7; 32], ..head })), "C34");
    assert_eq!(stage.sign(&with(Head { sequence: head.sequence + 1, ..head })), "C34");
    assert_eq!(stage.sign(&with(Head { vault: VaultId::from_bytes([9; 32]), ..head })), "");
    let third = stage.file(&Pay { sat: 10_000, fee: 9_000, ..pay(3) });
    assert_eq!(stage.sign(&repermitted(&third, |statement| statement.heads = vec![head])), "");
}

#[test]
fn a_repeat_says_who_vouched_and_gives_the_same_after_everything_expired() {
    let mut stage = Stage::set(Some(terms()));
    let file = approved(&stage.file(&Pay { sat: 40_000_000, ..pay(1) }), &[ANNA, BEN]);
    let signed = stage.sign_accepting(&file, &[]).unwrap();
    clock(FAR + 1);
    let mut stage = stage.restart();
    let review = stage.review(&file);
    assert!(review.signed_before && review.voucher.is_some() && review.approvals.len() == 2);
    assert_eq!(stage.sign_accepting(&file, &[]).unwrap(), signed);
    // A request of another payment lends a repeat neither its purpose nor its approvals.
    let mut swapped = file.clone();
    let mut request = file.request.clone().unwrap().request;
    request.purpose = "something else".to_owned();
    swapped.approvals = vec![approval(ANNA, &request)];
    swapped.request = Some(SignedRequest { request, signature: None });
    let review = stage.review(&swapped);
    assert!(review.voucher.is_none() && review.approvals.is_empty());
}

#[test]
fn a_message_needs_no_permit_and_says_whose_key_it_is() {
    let mut stage = Stage::set(Some(terms()));
    let message = cold_wire::MessageTerms {
        wallet: stage.wallet.id(),
        form: policies::message::MessageForm::Bip322Simple,
        message: policies::message::Message::new("hello").unwrap(),
        keypath: Keypath { branch: Branch::External, index: 0 },
        locks: policies::message::bip322::Locks::NONE,
        coins: vec![],
    };
    let wanted = |consent| {
        let (terms, evidence) = (message.clone(), Evidence::default());
        RequestBody::SignMessage(cold_wire::SignMessage { terms, evidence, consent })
    };
    for consent in [None, Some(message.id())] {
        let Ok(ReplyBody::Message(said)) = ask(&mut stage.vault, wanted(consent)) else { panic!() };
        assert_eq!(said.authority.as_deref(), Some("Two Friends GmbH"));
        assert_eq!(said.signed.is_some(), consent.is_some());
    }
    // It is no payment: the chain of permits goes on as if nothing had happened.
    assert_eq!(stage.sign(&stage.file(&pay(0))), "");
}

/// The only finding of a check, with its message and hint.
fn only(review: &Review, check: Check) -> (Outcome, String) {
    let of: Vec<_> = review.findings.iter().filter(|finding| finding.code == check.into()).collect();
    assert_eq!(of.len(), 1, "{of:?}");
    (of[0].outcome, format!("{} {}", of[0].message, of[0].hint.as_deref().unwrap_or_default()))
}

#[test]
fn a_review_says_who_has_the_say_and_a_permit_under_a_withdrawn_policy_counts_for_nothing() {
    let policy = PolicyTerms {
        version: 2,
        previous: Some(policies::id::PolicyId::of(b"first")),
        ..without_approvals()
    };
    let mut stage = Stage::set(Some(policy));
    let file = stage.file(&pay(1));
    let under = |version| repermitted(&file, |statement| statement.policy_version = version);
    assert_eq!(only(&stage.review(&under(2)), Check::AUTHORISATION).0, Outcome::Pass);
    assert_eq!(only(&stage.review(&under(1)), Check::AUTHORISATION).0, Outcome::Refuse);
    assert_eq!(stage.sign(&under(1)), "C34");
    assert_eq!(stage.sign(&under(3)), "", "the vault judges by its own policy anyway");

    let mut stage = Stage::set(None);
    let alone = |stage: &Stage, pay: &Pay| {
        let (spend, evidence) = stage.spend(pay);
        Bundle { spend, evidence, request: None, approvals: vec![], permits: vec![] }
    };
    let first = alone(&stage, &pay(1));
    assert_eq!(only(&stage.review(&first), Check::AUTHORISATION).0, Outcome::NotApplicable);
    assert_eq!(stage.sign(&first), "");
    let dearer = alone(&stage, &Pay { fee: 20_000, ..pay(1) });
    let (outcome, said) = only(&stage.review(&dearer), Check::SIGNED_BEFORE);
    assert!(outcome == Outcome::Ask && said.contains("both pay the same"), "{said}");
    let back = alone(&stage, &Pay { sat: 0, fee: 20_000, ..pay(1) });
    let (outcome, said) = only(&stage.review(&back), Check::SIGNED_BEFORE);
    assert!(outcome == Outcome::Ask && said.contains("takes that payment back"), "{said}");
}

#[test]
fn a_permit_for_a_wallet_of_other_vaults_counts_for_nothing() {
    let named = |vaults: &[u8]| {
        let mut policy = without_approvals();
        policy.wallets.get_mut("savings").unwrap().vaults = vaults.iter().map(|n| public(*n)).collect();
        let mut stage = Stage::set(Some(policy));
        let file = stage.file(&pay(1));
        stage.sign_accepting(&file, &[]).map_err(|fault| (fault.code, fault.message))
    };
    assert!(named(&[]).is_ok(), "any vault");
    let (code, message) = named(&[CAROL, BEN]).unwrap_err();
    assert_eq!(code, "C34");
    assert!(message.contains("the policy names other vaults"), "{message}");
}
