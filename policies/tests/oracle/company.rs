//! A small company in a random state: who is who, what was paid, what is asked for now.

use super::dice::Dice;
use super::payments::{Payment, history, payment};
use super::rules::{fit, rules};
use policies::history::History;
use policies::id::SpendId;
use policies::identity::PublicKey;
use policies::judge::Case;
use policies::policy::{
    DEFAULT_HEADERS_MAX_AGE, DEFAULT_PERMIT_VALIDITY, Policy, PolicyTerms, Replacement, Requester,
    WalletTerms,
};
use policies::wallet::Wallet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Bitcoin time of every case, and the wall clock too.
pub const TIME: u64 = 100_000;

/// Lengths of windows, in seconds; the last one reaches back beyond the epoch.
pub const WINDOWS: [u64; 3] = [100, 1_000, 1_000_000];

/// Owns what a [`Case`] borrows.
#[derive(Debug, Clone)]
pub struct Company {
    pub policy: Policy,
    pub wallet_name: String,
    pub payment: Payment,
    pub requester: Requester,
    pub approvers: Vec<PublicKey>,
    pub history: History,
    /// Earlier spends that can never be mined.
    pub dead: BTreeSet<SpendId>,
    pub time: u64,
    pub now: u64,
}

impl Company {
    /// Rolls everything.
    pub fn roll(dice: &mut Dice) -> Self {
        let mut terms = people(dice);
        let keys: Vec<Requester> = terms.people.values().flatten().cloned().collect();
        let operator = dice.percent(12);
        let requester = match () {
            () if operator => Requester::Operator,
            () if dice.percent(4) => Requester::Key(key(99)),
            () => dice.one(&keys).clone(),
        };
        if operator {
            terms.people.insert("operator".to_owned(), vec![Requester::Operator]);
        }
        terms.wallets = wallets(dice);
        terms.valid_until = dice.percent(20).then(|| dice.between(TIME - 1, TIME + 1));
        let wallet_name = (if dice.percent(4) { "nowhere" } else { "savings" }).to_owned();
        let payment = payment(dice, !operator);
        let history = history(dice, &payment, &wallet_name, &keys);
        rules(dice, &mut terms, &requester);
        let public = |requester: &Requester| match requester {
            Requester::Key(key) => Some(key.clone()),
            Requester::Operator => None,
        };
        let mut approvers: Vec<PublicKey> = dice.some(&keys, 40).iter().filter_map(public).collect();
        approvers.extend(dice.percent(10).then(|| key(98)));
        let spends = history.charges().iter().map(|charge| charge.spend);
        let dead = spends.filter(|_| dice.percent(8)).collect();
        let policy = Policy::new(terms.clone()).expect("a rolled policy is one");
        let mut company =
            Self { policy, wallet_name, payment, requester, approvers, history, dead, time: TIME, now: TIME };
        fit(dice, &mut terms, &company.case());
        company.policy = Policy::new(terms).expect("other amounts make no other names");
        company
    }

    /// What is judged.
    pub fn case(&self) -> Case<'_> {
        Case {
            policy: &self.policy,
            wallet: wallet(),
            wallet_name: &self.wallet_name,
            spend: &self.payment.spend,
            requester: &self.requester,
            request: self.payment.request.as_ref(),
            approvers: &self.approvers,
            history: &self.history,
            dead: &self.dead,
            supersedes: false,
            time: self.time,
            now: self.now,
        }
    }

    /// The same company under other terms.
    pub fn under(&self, change: impl FnOnce(&mut PolicyTerms)) -> Self {
        let mut terms = self.policy.terms().clone();
        change(&mut terms);
        Self { policy: Policy::new(terms).expect("the changed policy is one"), ..self.clone() }
    }
}

/// A key; nobody signs with it.
pub fn key(n: u8) -> PublicKey {
    PublicKey::ed25519([n; 32])
}

/// The account key of the words "abandon … about" (BIP84's test vector, as a test-network key).
pub fn wallet() -> &'static Wallet {
    static WALLET: OnceLock<Wallet> = OnceLock::new();
    const TPUB: &str = "[73c5da0a/84h/1h/0h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M";
    WALLET.get_or_init(|| {
        Wallet::new(bitcoin::Network::Regtest, &[format!("wpkh({TPUB}/<0;1>/*)")]).expect("a descriptor")
    })
}

/// Two to five people, some with two keys, some in groups and some in none, now and then a second name for a key.
fn people(dice: &mut Dice) -> PolicyTerms {
    let names = &["anna", "ben", "carl", "dora", "emil"][..dice.between(2, 5) as usize];
    let mut people = BTreeMap::new();
    for (name, n) in names.iter().zip(1..) {
        let mut keys = vec![Requester::Key(key(n))];
        keys.extend(dice.percent(40).then(|| Requester::Key(key(n + 10))));
        people.insert((*name).to_owned(), keys);
    }
    let mut groups = BTreeMap::new();
    for group in &["managers", "board", "tills"][..dice.below(4) as usize] {
        let members = dice.some(names, 60).iter().map(|name| (*name).to_owned()).collect();
        groups.insert((*group).to_owned(), members);
    }
    if dice.percent(15) {
        let anna = people["anna"][..1].to_vec();
        people.insert("anna's till".to_owned(), anna);
    }
    PolicyTerms {
        company: "Small AG".to_owned(),
        version: 1,
        previous: None,
        valid_until: None,
        people,
        groups,
        wallets: BTreeMap::new(),
        allows: vec![],
        limits: vec![],
        requires: vec![],
        permit_valid_for: DEFAULT_PERMIT_VALIDITY,
        headers_max_age: DEFAULT_HEADERS_MAX_AGE,
    }
}

fn wallets(dice: &mut Dice) -> BTreeMap<String, WalletTerms> {
    let id = match dice.below(20) {
        19 => Some(policies::id::WalletId::of(b"another")),
        10..19 => Some(wallet().id()),
        _ => None,
    };
    let replacement = if dice.percent(25) { Replacement::BackOnly } else { Replacement::FeeOnly };
    let savings = WalletTerms { id, vaults: vec![], replacement };
    BTreeMap::from([("savings".to_owned(), savings), ("other".to_owned(), WalletTerms::default())])
}
