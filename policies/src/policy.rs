//! A policy as a value: who may ask for what, within which limits. Its source is a TOML file at the gatekeeper; its
//! hash, and what a vault pins, is the canonical encoding here.

use crate::codec::{Canonical, CodecError, Decoder, Encoder, clean_text};
use crate::examine::{FeeBounds, FeeCeiling};
use crate::id::{PolicyId, WalletId};
use crate::identity::PublicKey;
use bitcoin::{Amount, ScriptBuf};
use std::collections::{BTreeMap, BTreeSet};

/// Longest name of a person, wallet or rule, in bytes.
pub const MAX_NAME_LEN: usize = 100;

/// Most entries of one kind in a policy.
pub const MAX_ENTRIES: usize = 1_000;

/// Default validity of a permit, in seconds: 8 days.
pub const DEFAULT_PERMIT_VALIDITY: u64 = 8 * 24 * 3_600;

/// Who asks for a payment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requester {
    /// The operator of a standalone vault, present at its console.
    Operator,
    /// The holder of a key that the policy lists.
    Key(PublicKey),
}

/// What one wallet of the policy must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WalletTerms {
    /// The wallet's identity, where the policy names its descriptor. Otherwise the name binds at the key's creation
    /// (vault) and when the vault is added (gatekeeper).
    pub id: Option<WalletId>,
    /// Audit keys of its vaults, where the policy names them.
    pub vaults: Vec<PublicKey>,
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
    /// Groups of requesters by name.
    pub people: BTreeMap<String, Vec<Requester>>,
    /// Wallets by name.
    pub wallets: BTreeMap<String, WalletTerms>,
    /// Who may ask.
    pub allows: Vec<Allow>,
    /// Hard ceilings.
    pub limits: Vec<Limit>,
    /// Validity of a permit, in seconds.
    pub permit_valid_for: u64,
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
        for name in terms.people.keys() {
            clean_name("people", name)?;
        }
        for name in terms.wallets.keys() {
            clean_name("wallet", name)?;
        }
        let mut names = BTreeSet::new();
        for name in terms.allows.iter().map(|a| &a.name).chain(terms.limits.iter().map(|l| &l.name)) {
            clean_name("rule", name)?;
            if !names.insert(name) {
                return Err(CodecError::invalid("rule", format!("two rules are named `{name}`")));
            }
        }
        let group = |what, name: &String| defined(what, name, terms.people.contains_key(name));
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
        Ok(Self { terms })
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
            permit_valid_for: DEFAULT_PERMIT_VALIDITY,
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

    /// Whether a requester is in one of these groups.
    pub fn is_member(&self, requester: &Requester, groups: &[String]) -> bool {
        groups
            .iter()
            .filter_map(|group| self.terms.people.get(group))
            .any(|members| members.contains(requester))
    }

    /// The limits that apply to a requester and a wallet.
    pub fn limits_for(&self, requester: &Requester, wallet: &str) -> impl Iterator<Item = &Limit> {
        self.terms.limits.iter().filter(move |limit| {
            let who = limit.requesters.as_ref().is_none_or(|groups| self.is_member(requester, groups));
            let from = limit.wallet.as_ref().is_none_or(|name| name == wallet);
            who && from
        })
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

fn clean_name(what: &'static str, name: &str) -> Result<(), CodecError> {
    if name.trim().is_empty() {
        return Err(CodecError::invalid(what, "the name is empty"));
    }
    clean_text(what, name, MAX_NAME_LEN)
}

fn defined(what: &'static str, name: &str, is_defined: bool) -> Result<(), CodecError> {
    if is_defined { Ok(()) } else { Err(CodecError::invalid(what, format!("`{name}` is not defined"))) }
}

impl Canonical for Policy {
    const TAG: &'static str = PolicyId::TAG;

    fn encode_fields(&self, to: &mut Encoder) {
        let terms = &self.terms;
        to.string(terms.company.as_bytes());
        to.u64(terms.version);
        to.option(terms.previous.as_ref(), |to, id| to.fixed(id.as_bytes()));
        to.option(terms.valid_until.as_ref(), |to, time| to.u64(*time));
        to.count(terms.people.len());
        for (name, members) in &terms.people {
            to.string(name.as_bytes());
            to.list(members, encode_requester);
        }
        to.count(terms.wallets.len());
        for (name, wallet) in &terms.wallets {
            to.string(name.as_bytes());
            to.option(wallet.id.as_ref(), |to, id| to.fixed(id.as_bytes()));
            to.list(&wallet.vaults, |to, key| key.encode(to));
        }
        to.list(&terms.allows, |to, allow| {
            to.string(allow.name.as_bytes());
            to.list(&allow.requesters, |to, name| to.string(name.as_bytes()));
            to.string(allow.wallet.as_bytes());
            to.list(&allow.to, |to, destination| match destination {
                Destination::Anyone => to.u8(0),
                Destination::Back => to.u8(1),
                Destination::Script(script) => {
                    to.u8(2);
                    to.string(script.as_bytes());
                }
            });
        });
        to.list(&terms.limits, encode_limit);
        to.u64(terms.permit_valid_for);
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let name = |from: &mut Decoder<'_>| from.text("name", MAX_NAME_LEN);
        Policy::new(PolicyTerms {
            company: name(from)?,
            version: from.u64("version")?,
            previous: from.option("previous", |from| from.fixed("previous").map(PolicyId::from_bytes))?,
            valid_until: from.option("valid until", |from| from.u64("valid until"))?,
            people: from
                .list("people", MAX_ENTRIES, |from| {
                    Ok((name(from)?, from.list("members", MAX_ENTRIES, decode_requester)?))
                })?
                .into_iter()
                .collect(),
            wallets: from
                .list("wallets", MAX_ENTRIES, |from| {
                    let name = name(from)?;
                    let id =
                        from.option("wallet id", |from| from.fixed("wallet id").map(WalletId::from_bytes))?;
                    Ok((
                        name,
                        WalletTerms { id, vaults: from.list("vaults", MAX_ENTRIES, PublicKey::decode)? },
                    ))
                })?
                .into_iter()
                .collect(),
            allows: from.list("allow", MAX_ENTRIES, |from| {
                Ok(Allow {
                    name: name(from)?,
                    requesters: from.list("requesters", MAX_ENTRIES, name)?,
                    wallet: name(from)?,
                    to: from.list("to", MAX_ENTRIES, decode_destination)?,
                })
            })?,
            limits: from.list("limit", MAX_ENTRIES, decode_limit)?,
            permit_valid_for: from.u64("permit validity")?,
        })
    }
}

/// Appends a requester.
pub(crate) fn encode_requester(to: &mut Encoder, requester: &Requester) {
    match requester {
        Requester::Operator => to.u8(0),
        Requester::Key(key) => {
            to.u8(1);
            key.encode(to);
        }
    }
}

/// Reads a requester.
pub(crate) fn decode_requester(from: &mut Decoder<'_>) -> Result<Requester, CodecError> {
    match from.u8("requester")? {
        0 => Ok(Requester::Operator),
        1 => PublicKey::decode(from).map(Requester::Key),
        other => Err(CodecError::invalid("requester", format!("kind {other}"))),
    }
}

fn decode_destination(from: &mut Decoder<'_>) -> Result<Destination, CodecError> {
    match from.u8("destination")? {
        0 => Ok(Destination::Anyone),
        1 => Ok(Destination::Back),
        2 => from.script("destination").map(Destination::Script),
        other => Err(CodecError::invalid("destination", format!("kind {other}"))),
    }
}

fn encode_limit(to: &mut Encoder, limit: &Limit) {
    to.string(limit.name.as_bytes());
    to.option(limit.requesters.as_ref(), |to, names| {
        to.list(names, |to, name| to.string(name.as_bytes()));
    });
    to.option(limit.wallet.as_ref(), |to, name| to.string(name.as_bytes()));
    to.option(limit.per_payment.as_ref(), |to, amount| to.amount(*amount));
    to.option(limit.per_window.as_ref(), |to, window| window.encode(to));
    to.option(limit.fee.as_ref(), |to, fee| {
        to.amount(fee.amount);
        to.u64(fee.percent);
        to.u64(fee.sat_per_vb);
    });
}

fn decode_limit(from: &mut Decoder<'_>) -> Result<Limit, CodecError> {
    let name = |from: &mut Decoder<'_>| from.text("name", MAX_NAME_LEN);
    Ok(Limit {
        name: name(from)?,
        requesters: from.option("requesters", |from| from.list("requesters", MAX_ENTRIES, name))?,
        wallet: from.option("wallet", name)?,
        per_payment: from.option("per payment", |from| from.amount("per payment"))?,
        per_window: from.option("per window", Window::decode)?,
        fee: from.option("fee", |from| {
            Ok(FeeCeiling {
                amount: from.amount("fee amount")?,
                percent: from.u64("fee percent")?,
                sat_per_vb: from.u64("fee rate")?,
            })
        })?,
    })
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
            wallets: BTreeMap::from([("savings".to_owned(), WalletTerms::default())]),
            allows: vec![Allow {
                name: "Desk pays anyone".to_owned(),
                requesters: vec!["desk".to_owned()],
                wallet: "savings".to_owned(),
                to: vec![Destination::Anyone],
            }],
            limits: vec![limit("Each payment", |l| l.per_payment = Some(Amount::ONE_BTC))],
            permit_valid_for: DEFAULT_PERMIT_VALIDITY,
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
        let policy = Policy::new(terms).unwrap();
        assert_eq!(Policy::from_bytes(&policy.to_bytes()).unwrap(), policy);
    }

    #[test]
    fn policy_id_is_pinned_by_a_vector() {
        let policy = Policy::new(terms()).unwrap();
        assert_eq!(
            policy.id().to_string(),
            "58c3db72aabf01f255b0448a1351a4e09e7ca60cc86a4d8f44a91f3a21938a5e"
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
}
