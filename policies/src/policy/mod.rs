//! A policy as a value: who may ask for what, within which limits. Its source is a TOML file at the gatekeeper; its
//! hash, and what a vault pins, is the canonical encoding here.

use crate::codec::{Canonical, CodecError, Decoder, Encoder, clean_text};
use crate::examine::{FeeBounds, FeeCeiling};
use crate::id::{PolicyId, WalletId};
use crate::identity::PublicKey;
use bitcoin::{Amount, ScriptBuf};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

mod encoding;

pub(crate) use encoding::{decode_requester, encode_requester};

/// Longest name of a person, wallet or rule, in bytes.
pub const MAX_NAME_LEN: usize = 100;

/// Most entries of one kind in a policy.
pub const MAX_ENTRIES: usize = 1_000;

/// Default validity of a permit, in seconds: 8 days.
pub const DEFAULT_PERMIT_VALIDITY: u64 = 8 * 24 * 3_600;

/// Default age of the gatekeeper's latest header after which nothing is permitted, in seconds: 2 days.
pub const DEFAULT_HEADERS_MAX_AGE: u64 = 2 * 24 * 3_600;

/// Who asks for a payment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requester {
    /// The operator of a standalone vault, present at its console.
    Operator,
    /// The holder of a key that the policy lists.
    Key(PublicKey),
}

/// Somebody who counts once, however many keys they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Person<'a> {
    /// The operator of a standalone vault.
    Operator,
    /// A name that a group lists: all its keys are one person.
    Named(&'a str),
    /// A key that no such name holds.
    Key(&'a PublicKey),
}

impl fmt::Display for Person<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Person::Operator => f.write_str("the operator"),
            Person::Named(name) => f.write_str(name),
            Person::Key(key) => f.write_str(&key.fingerprint()),
        }
    }
}

/// What may take the place of a payment that is not in a block yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replacement {
    /// The same recipients with another fee, or nobody.
    #[default]
    FeeOnly,
    /// Only a payment back to the wallet itself.
    BackOnly,
}

/// What one wallet of the policy must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WalletTerms {
    /// The wallet's identity, where the policy names its descriptor. Otherwise the name binds at the key's creation
    /// (vault) and when the vault is added (gatekeeper).
    pub id: Option<WalletId>,
    /// Audit keys of its vaults, where the policy names them.
    pub vaults: Vec<PublicKey>,
    /// What may replace a payment.
    pub replacement: Replacement,
}

/// Where an `allow` lets money go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// Any script outside the wallet.
    Anyone,
    /// Back to the wallet itself: no recipient at all.
    Back,
    /// This script.
    Script(ScriptBuf),
}

/// Who may ask for payments from where to where. What no `allow` covers is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Shown when it decides.
    pub name: String,
    /// Groups of [`PolicyTerms::people`].
    pub requesters: Vec<String>,
    /// A wallet of [`PolicyTerms::wallets`].
    pub wallet: String,
    /// Destinations.
    pub to: Vec<Destination>,
}

/// A ceiling over a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its length in seconds.
    pub seconds: u64,
    /// Highest sum of outflows in it, this payment included.
    pub amount: Option<Amount>,
    /// Highest number of payments in it, this one included.
    pub count: Option<u64>,
}

impl Window {
    /// Appends every field.
    pub fn encode(&self, to: &mut Encoder) {
        to.u64(self.seconds);
        to.option(self.amount.as_ref(), |to, amount| to.amount(*amount));
        to.option(self.count.as_ref(), |to, count| to.u64(*count));
    }

    /// Reads every field.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            seconds: from.u64("window")?,
            amount: from.option("amount", |from| from.amount("amount"))?,
            count: from.option("count", |from| from.u64("count"))?,
        })
    }
}

/// A hard ceiling. Every applicable one must hold; nobody overrides it by approving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Shown when it refuses.
    pub name: String,
    /// Applies to these groups, or to everybody.
    pub requesters: Option<Vec<String>>,
    /// Applies to this wallet, or to all.
    pub wallet: Option<String>,
    /// Highest outflow of one payment.
    pub per_payment: Option<Amount>,
    /// Ceiling over a sliding window.
    pub per_window: Option<Window>,
    /// Ceiling of the fee on its three bases.
    pub fee: Option<FeeCeiling>,
}

/// Which sums an `above` compares, each by itself; none of them: everything together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumBy {
    /// What the person who asks took from the wallets.
    pub requester: bool,
    /// What each destination got.
    pub destination: bool,
}

/// A sum over a sliding window above which approvals are needed; at exactly this sum they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Above {
    /// Length of the window in seconds.
    pub seconds: u64,
    /// The sum, this payment included.
    pub amount: Amount,
    /// Which sums.
    pub by: SumBy,
}

/// So many different people of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quorum {
    /// A person or a group.
    pub from: String,
    /// How many.
    pub count: u64,
}

/// Approvals that a payment needs. All rules that apply add up: one approval counts for one place of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// Shown when approvals are missing.
    pub name: String,
    /// Applies to requests of these groups, or of everybody.
    pub requesters: Option<Vec<String>>,
    /// Applies to this wallet, or to all.
    pub wallet: Option<String>,
    /// Above which sum; every payment when left out.
    pub above: Option<Above>,
    /// Whose approvals.
    pub approvals: Vec<Quorum>,
}

/// What a policy is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTerms {
    /// Whose policy it is.
    pub company: String,
    /// One more than that of the policy before.
    pub version: u64,
    /// The policy before.
    pub previous: Option<PolicyId>,
    /// Unix time after which nothing is permitted, in seconds.
    pub valid_until: Option<u64>,
    /// Keys by the name of their holder or holders.
    pub people: BTreeMap<String, Vec<Requester>>,
    /// Groups of such names. A name that a group lists is one person, whatever number of keys it has.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Wallets by name.
    pub wallets: BTreeMap<String, WalletTerms>,
    /// Who may ask.
    pub allows: Vec<Allow>,
    /// Hard ceilings.
    pub limits: Vec<Limit>,
    /// Soft ceilings.
    pub requires: Vec<Require>,
    /// Validity of a permit, in seconds.
    pub permit_valid_for: u64,
    /// Age of the gatekeeper's latest header after which it permits nothing, in seconds, on networks with real time.
    pub headers_max_age: u64,
}

/// A policy whose names all refer to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    terms: PolicyTerms,
}

impl Policy {
    /// Proves that names are clean, unique and defined, and that each rule says something.
    ///
    /// # Errors
    /// [`CodecError::Invalid`] or [`CodecError::TooLong`] for the first thing that does not hold.
    pub fn new(terms: PolicyTerms) -> Result<Self, CodecError> {
        clean_name("company", &terms.company)?;
        for name in terms.people.keys().chain(terms.groups.keys()) {
            clean_name("people", name)?;
            if name.contains(',') {
                return Err(CodecError::invalid("people", format!("`{name}` reads like two")));
            }
        }
        for name in terms.wallets.keys() {
            clean_name("wallet", name)?;
        }
        people_of_groups(&terms)?;
        let mut names = BTreeSet::new();
        let allows = terms.allows.iter().map(|allow| &allow.name);
        let limits = terms.limits.iter().map(|limit| &limit.name);
        for name in allows.chain(limits).chain(terms.requires.iter().map(|require| &require.name)) {
            clean_name("rule", name)?;
            if !names.insert(name) {
                return Err(CodecError::invalid("rule", format!("two rules are named `{name}`")));
            }
        }
        let group = |what, name: &String| {
            defined(what, name, terms.people.contains_key(name) || terms.groups.contains_key(name))
        };
        let wallet = |what, name: &String| defined(what, name, terms.wallets.contains_key(name));
        for allow in &terms.allows {
            allow.requesters.iter().try_for_each(|name| group("requesters", name))?;
            wallet("wallet", &allow.wallet)?;
            if allow.requesters.is_empty() || allow.to.is_empty() {
                return Err(CodecError::invalid("allow", format!("`{}` allows nothing", allow.name)));
            }
        }
        for limit in &terms.limits {
            limit.requesters.iter().flatten().try_for_each(|name| group("requesters", name))?;
            limit.wallet.iter().try_for_each(|name| wallet("wallet", name))?;
            let empty_window =
                limit.per_window.is_some_and(|w| w.seconds == 0 || (w.amount.is_none() && w.count.is_none()));
            let nothing = limit.per_payment.is_none() && limit.per_window.is_none() && limit.fee.is_none();
            if nothing || empty_window {
                return Err(CodecError::invalid("limit", format!("`{}` limits nothing", limit.name)));
            }
        }
        for require in &terms.requires {
            require.requesters.iter().flatten().try_for_each(|name| group("requesters", name))?;
            require.wallet.iter().try_for_each(|name| wallet("wallet", name))?;
            require.approvals.iter().try_for_each(|quorum| group("approvals", &quorum.from))?;
            if require.approvals.is_empty() || require.above.is_some_and(|above| above.seconds == 0) {
                return Err(CodecError::invalid("require", format!("`{}` requires nothing", require.name)));
            }
        }
        let policy = Self { terms };
        policy.quorums_can_be_met()?;
        Ok(policy)
    }

    fn quorums_can_be_met(&self) -> Result<(), CodecError> {
        for require in &self.terms.requires {
            for Quorum { from, count } in &require.approvals {
                let people = self.people_in(from).len();
                if *count == 0 || usize::try_from(*count).is_ok_and(|count| count > people) {
                    let problem = format!("`{}` wants {count} of `{from}`, who are {people}", require.name);
                    return Err(CodecError::invalid("require", problem));
                }
            }
        }
        Ok(())
    }

    /// The built-in policy of a key without an authority: its operator pays anyone, within a limit if one was set.
    ///
    /// # Errors
    /// [`CodecError`] when the wallet's name is not fit for a screen or the window is empty.
    pub fn standalone(wallet: &str, limit: Option<Window>) -> Result<Self, CodecError> {
        let operator = "operator".to_owned();
        Self::new(PolicyTerms {
            company: "standalone".to_owned(),
            version: 1,
            previous: None,
            valid_until: None,
            people: BTreeMap::from([(operator.clone(), vec![Requester::Operator])]),
            groups: BTreeMap::new(),
            wallets: BTreeMap::from([(wallet.to_owned(), WalletTerms::default())]),
            allows: vec![Allow {
                name: "The operator pays anyone".to_owned(),
                requesters: vec![operator],
                wallet: wallet.to_owned(),
                to: vec![Destination::Anyone, Destination::Back],
            }],
            limits: limit
                .map(|window| Limit {
                    name: "Own limit".to_owned(),
                    requesters: None,
                    wallet: None,
                    per_payment: None,
                    per_window: Some(window),
                    fee: None,
                })
                .into_iter()
                .collect(),
            requires: vec![],
            permit_valid_for: DEFAULT_PERMIT_VALIDITY,
            headers_max_age: DEFAULT_HEADERS_MAX_AGE,
        })
    }

    /// Its identifier.
    pub fn id(&self) -> PolicyId {
        PolicyId::of(&self.to_bytes())
    }

    /// What it says.
    pub fn terms(&self) -> &PolicyTerms {
        &self.terms
    }

    /// Whether a requester is one of these people or in one of these groups.
    pub fn is_member(&self, requester: &Requester, names: &[String]) -> bool {
        names.iter().any(|name| self.keys_of(name).any(|key| key == requester))
    }

    /// Whether a rule for these people and groups concerns a requester, with whichever key of the same person: no second
    /// key leads around a limit.
    pub fn concerns(&self, requester: &Requester, names: &[String]) -> bool {
        let who = self.person(requester);
        names.iter().any(|name| self.keys_of(name).any(|key| self.person(key) == who))
    }

    /// Who asks, as far as counting people goes.
    pub fn person<'a>(&'a self, requester: &'a Requester) -> Person<'a> {
        match requester {
            Requester::Operator => Person::Operator,
            Requester::Key(key) => self.holder(key),
        }
    }

    /// Who holds a key, as far as counting people goes.
    pub fn holder<'a>(&'a self, key: &'a PublicKey) -> Person<'a> {
        let holds = |name: &String| {
            let keys = self.terms.people.get(name).into_iter().flatten();
            keys.into_iter().any(|listed| matches!(listed, Requester::Key(listed) if listed == key))
        };
        let names = self.terms.groups.values().flatten().filter(|name| holds(name));
        names.min().map_or(Person::Key(key), |name| Person::Named(name))
    }

    /// Everybody whom a name of the policy stands for, each once.
    pub fn people_in(&self, name: &str) -> BTreeSet<Person<'_>> {
        self.keys_of(name).map(|key| self.person(key)).collect()
    }

    fn keys_of(&self, name: &str) -> impl Iterator<Item = &Requester> {
        let alone = self.terms.people.get(name).into_iter().flatten();
        let people = self.terms.groups.get(name).into_iter().flatten();
        alone.chain(people.filter_map(|name| self.terms.people.get(name)).flatten())
    }

    /// The limits that apply to a requester and a wallet.
    pub fn limits_for(&self, requester: &Requester, wallet: &str) -> impl Iterator<Item = &Limit> {
        self.terms.limits.iter().filter(move |limit| {
            self.in_scope(limit.requesters.as_deref(), limit.wallet.as_deref(), requester, wallet)
        })
    }

    /// The approval rules that apply to a requester and a wallet, whatever their sums.
    pub fn requires_for(&self, requester: &Requester, wallet: &str) -> impl Iterator<Item = &Require> {
        self.terms.requires.iter().filter(move |require| {
            self.in_scope(require.requesters.as_deref(), require.wallet.as_deref(), requester, wallet)
        })
    }

    /// Whether a rule for these people and this wallet is for a payment that this requester asks of that wallet; a rule
    /// that names nobody, or no wallet, is for all.
    pub(crate) fn in_scope(
        &self,
        requesters: Option<&[String]>,
        wallet: Option<&str>,
        requester: &Requester,
        from: &str,
    ) -> bool {
        let who = requesters.is_none_or(|names| self.concerns(requester, names));
        who && wallet.is_none_or(|name| name == from)
    }

    /// From which fee on to ask and to refuse: on each basis the tightest ceiling that the policy sets, else the
    /// default of C16. A ceiling of the policy both asks and refuses, so within it nothing is asked.
    pub fn fee_bounds(&self, requester: &Requester, wallet: &str) -> FeeBounds {
        let mut bounds = FeeBounds::default();
        let tightest =
            self.limits_for(requester, wallet).filter_map(|limit| limit.fee).reduce(|a, b| FeeCeiling {
                amount: a.amount.min(b.amount),
                percent: a.percent.min(b.percent),
                sat_per_vb: a.sat_per_vb.min(b.sat_per_vb),
            });
        let Some(set) = tightest else { return bounds };
        for ceiling in [&mut bounds.ask, &mut bounds.refuse] {
            if set.amount < FeeCeiling::UNLIMITED.amount {
                ceiling.amount = set.amount;
            }
            if set.percent < FeeCeiling::UNLIMITED.percent {
                ceiling.percent = set.percent;
            }
            if set.sat_per_vb < FeeCeiling::UNLIMITED.sat_per_vb {
                ceiling.sat_per_vb = set.sat_per_vb;
            }
        }
        bounds
    }
}

/// Names of groups are clean and no person's; their members exist, and no key belongs to two of them: it would be two
/// people.
fn people_of_groups(terms: &PolicyTerms) -> Result<(), CodecError> {
    let mut holders: BTreeMap<&Requester, &String> = BTreeMap::new();
    for (group, names) in &terms.groups {
        if terms.people.contains_key(group) {
            return Err(CodecError::invalid("people", format!("`{group}` is a person and a group")));
        }
        for name in names {
            let Some(keys) = terms.people.get(name) else {
                return defined("people", name, false);
            };
            for key in keys {
                if *key == Requester::Operator {
                    return Err(CodecError::invalid("people", format!("`{name}` is no operator's name")));
                }
                if let Some(other) = holders.insert(key, name).filter(|other| *other != name) {
                    let problem = format!("`{other}` and `{name}` have a key in common: who is it?");
                    return Err(CodecError::invalid("people", problem));
                }
            }
        }
    }
    Ok(())
}

fn clean_name(what: &'static str, name: &str) -> Result<(), CodecError> {
    if name.trim().is_empty() {
        return Err(CodecError::invalid(what, "the name is empty"));
    }
    clean_text(what, name, MAX_NAME_LEN)
}

fn defined(what: &'static str, name: &str, is_defined: bool) -> Result<(), CodecError> {
    if is_defined { Ok(()) } else { Err(CodecError::invalid(what, format!("`{name}` is not defined"))) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::public;

    /// "desk" (key 3) pays anyone from "savings": 1 BTC a payment.
    pub fn terms() -> PolicyTerms {
        PolicyTerms {
            company: "Two Friends GmbH".to_owned(),
            version: 1,
            previous: None,
            valid_until: None,
            people: BTreeMap::from([
                ("desk".to_owned(), vec![Requester::Key(public(3))]),
                ("visitors".to_owned(), vec![Requester::Key(public(4))]),
            ]),
            groups: BTreeMap::new(),
            wallets: BTreeMap::from([("savings".to_owned(), WalletTerms::default())]),
            allows: vec![Allow {
                name: "Desk pays anyone".to_owned(),
                requesters: vec!["desk".to_owned()],
                wallet: "savings".to_owned(),
                to: vec![Destination::Anyone],
            }],
            limits: vec![limit("Each payment", |l| l.per_payment = Some(Amount::ONE_BTC))],
            requires: vec![],
            permit_valid_for: DEFAULT_PERMIT_VALIDITY,
            headers_max_age: DEFAULT_HEADERS_MAX_AGE,
        }
    }

    pub fn limit(name: &str, change: impl FnOnce(&mut Limit)) -> Limit {
        let mut limit = Limit {
            name: name.to_owned(),
            requesters: None,
            wallet: None,
            per_payment: None,
            per_window: None,
            fee: None,
        };
        change(&mut limit);
        limit
    }

    /// Approvals above so many satoshi within so many seconds, by requester and by destination.
    pub fn require(name: &str, sat: u64, seconds: u64, approvals: &[(&str, u64)]) -> Require {
        Require {
            name: name.to_owned(),
            requesters: None,
            wallet: None,
            above: Some(Above {
                seconds,
                amount: Amount::from_sat(sat),
                by: SumBy { requester: true, destination: true },
            }),
            approvals: approvals
                .iter()
                .map(|(from, count)| Quorum { from: (*from).to_owned(), count: *count })
                .collect(),
        }
    }

    #[test]
    fn a_policy_survives_its_bytes() {
        let mut terms = terms();
        terms.valid_until = Some(9);
        terms.wallets.get_mut("savings").unwrap().id = Some(WalletId::of(b"x"));
        terms.wallets.get_mut("savings").unwrap().vaults = vec![public(8)];
        terms.allows[0].to.push(Destination::Script(ScriptBuf::new()));
        terms.limits.push(limit("All", |l| {
            l.requesters = Some(vec!["desk".to_owned()]);
            l.wallet = Some("savings".to_owned());
            l.per_window = Some(Window { seconds: 9, amount: Some(Amount::ONE_BTC), count: Some(3) });
            l.fee = Some(FeeCeiling { amount: Amount::ONE_SAT, percent: 2, sat_per_vb: 3 });
        }));
        terms.groups = BTreeMap::from([("all".to_owned(), vec!["desk".to_owned(), "visitors".to_owned()])]);
        terms.wallets.get_mut("savings").unwrap().replacement = Replacement::BackOnly;
        terms.requires = vec![
            require("Boss", 10, 5, &[("all", 2), ("desk", 1)]),
            Require {
                above: None,
                requesters: Some(vec!["all".to_owned()]),
                wallet: Some("savings".to_owned()),
                ..require("Always", 0, 1, &[("visitors", 1)])
            },
        ];
        let policy = Policy::new(terms).unwrap();
        assert_eq!(Policy::from_bytes(&policy.to_bytes()).unwrap(), policy);
    }

    #[test]
    fn policy_id_is_pinned_by_a_vector() {
        let policy = Policy::new(terms()).unwrap();
        assert_eq!(
            policy.id().to_string(),
            "dbf6b3799ea4a1edd70ab48124aeefe0c63f0b4140eae64c80c62fdbb1731007"
        );
    }

    #[test]
    fn names_that_refer_to_nothing_are_refused() {
        let refused = |change: fn(&mut PolicyTerms)| {
            let mut terms = terms();
            change(&mut terms);
            Policy::new(terms).unwrap_err();
        };
        refused(|t| t.allows[0].requesters = vec!["nobody".to_owned()]);
        refused(|t| t.allows[0].requesters = vec![]);
        refused(|t| t.allows[0].wallet = "none".to_owned());
        refused(|t| t.allows[0].to = vec![]);
        refused(|t| t.limits[0].name = "Desk pays anyone".to_owned());
        refused(|t| t.limits[0].per_payment = None);
        refused(|t| t.limits[0].wallet = Some("none".to_owned()));
        refused(|t| t.requires = vec![require("Boss", 1, 1, &[("nobody", 1)])]);
        refused(|t| t.requires = vec![require("Boss", 1, 1, &[])]);
        refused(|t| t.requires = vec![require("Boss", 1, 0, &[("desk", 1)])]);
        refused(|t| t.requires = vec![require("Desk pays anyone", 1, 1, &[("desk", 1)])]);
        refused(|t| t.requires = vec![require("Boss", 1, 1, &[("desk", 0)])]);
        refused(|t| t.requires = vec![require("Boss", 1, 1, &[("desk", 2)])]);
        refused(|t| drop(t.groups.insert("all".to_owned(), vec!["nobody".to_owned()])));
        refused(|t| drop(t.groups.insert("desk".to_owned(), vec!["visitors".to_owned()])));
        refused(|t| drop(t.people.insert("anna, ben".to_owned(), vec![Requester::Key(public(9))])));
        refused(|t| {
            t.people.insert("boss".to_owned(), vec![Requester::Operator]);
            t.groups.insert("all".to_owned(), vec!["boss".to_owned()]);
        });
        refused(|t| {
            t.people.insert("twin".to_owned(), vec![Requester::Key(public(3))]);
            t.groups.insert("all".to_owned(), vec!["desk".to_owned(), "twin".to_owned()]);
        });
        refused(|t| t.company = "a\u{202e}b".to_owned());
        refused(|t| t.company = " ".to_owned());
    }

    #[test]
    fn the_tightest_fee_ceiling_decides() {
        let mut terms = terms();
        let ceiling =
            |amount, percent| FeeCeiling { amount: Amount::from_sat(amount), percent, sat_per_vb: 50 };
        let desk = Requester::Key(public(3));
        assert_eq!(Policy::new(terms.clone()).unwrap().fee_bounds(&desk, "savings"), FeeBounds::default());
        terms.limits.push(limit("Fee 1", |l| l.fee = Some(ceiling(100, 9))));
        terms.limits.push(limit("Fee 2", |l| l.fee = Some(ceiling(200, 3))));
        assert_eq!(Policy::new(terms).unwrap().fee_bounds(&desk, "savings").refuse, ceiling(100, 3));
    }

    #[test]
    fn a_basis_that_the_policy_leaves_out_keeps_its_default() {
        let mut terms = terms();
        terms.limits.push(limit("Fee", |l| {
            l.fee = Some(FeeCeiling { amount: Amount::from_sat(10_000_000), ..FeeCeiling::UNLIMITED });
        }));
        let bounds = Policy::new(terms).unwrap().fee_bounds(&Requester::Key(public(3)), "savings");
        let default = FeeBounds::default();
        assert_eq!(bounds.refuse, FeeCeiling { amount: Amount::from_sat(10_000_000), ..default.refuse });
        assert_eq!(bounds.ask, FeeCeiling { amount: Amount::from_sat(10_000_000), ..default.ask });
    }

    #[test]
    fn a_named_person_is_one_with_all_her_keys_and_a_list_of_keys_is_many() {
        let mut terms = terms();
        let keys = |n: &[u8]| n.iter().map(|n| Requester::Key(public(*n))).collect::<Vec<_>>();
        terms.people.insert("anna".to_owned(), keys(&[5, 6]));
        terms.people.insert("board".to_owned(), keys(&[5, 6, 7]));
        terms.groups.insert("managers".to_owned(), vec!["anna".to_owned()]);
        terms.requires = vec![require("Board", 1, 1, &[("board", 2)])];
        let policy = Policy::new(terms.clone()).unwrap();
        let (five, six, seven) =
            (Requester::Key(public(5)), Requester::Key(public(6)), Requester::Key(public(7)));
        assert_eq!(policy.person(&five), policy.person(&six));
        assert_eq!(policy.person(&seven), Person::Key(&public(7)));
        assert_eq!(policy.people_in("board").len(), 2, "anna is one person there too");
        assert!(policy.is_member(&six, &["managers".to_owned()]));
        terms.requires = vec![require("Board", 1, 1, &[("board", 3)])];
        Policy::new(terms).unwrap_err();
    }
}
