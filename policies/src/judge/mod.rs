//! The rule engine: default deny. The gatekeeper runs it over its ledger, the vault over its journal.

mod limits;
pub mod replacement;
pub mod requirements;

use crate::check::{Finding, Rule};
use crate::history::{Charge, History};
use crate::id::SpendId;
use crate::identity::PublicKey;
use crate::policy::{Allow, Destination, Policy, Requester};
use crate::request::{Recipient, Request};
use crate::spend::{Spend, SpendOutput};
use crate::text::utc_text;
use crate::wallet::Wallet;
use requirements::Missing;
use std::collections::BTreeSet;

/// Everything that a judgement depends on. Same case, same verdict.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The wallet that pays.
    pub wallet: &'a Wallet,
    /// Its name in the policy.
    pub wallet_name: &'a str,
    /// The spend, already examined.
    pub spend: &'a Spend,
    /// Who asks, already verified.
    pub requester: &'a Requester,
    /// The request that it fulfils, already compared with the spend.
    pub request: Option<&'a Request>,
    /// Whose approvals of this request verify.
    pub approvers: &'a [PublicKey],
    /// What was charged before.
    pub history: &'a History,
    /// Earlier spends that can never be mined. They stay charged, and nothing takes their place.
    pub dead: &'a BTreeSet<SpendId>,
    /// Whether a permit says that it replaces others, which whoever judges here may never have seen.
    pub supersedes: bool,
    /// Bitcoin time, for windows (BIP113), unix seconds.
    pub time: u64,
    /// Wall clock, for validity, unix seconds.
    pub now: u64,
}

impl Case<'_> {
    /// What is charged when it is permitted.
    pub fn charge(&self) -> Charge {
        Charge {
            spend: self.spend.id(),
            request: self.request.map(Request::id),
            wallet: self.wallet_name.to_owned(),
            requester: self.requester.clone(),
            outflow: self.spend.outflow(),
            at: self.time,
            clock: self.now,
            anchor: replacement::anchor(self),
            paid: Recipient::of(self.spend),
            coins: self.spend.inputs().iter().map(|input| input.outpoint).collect(),
        }
    }
}

/// What the rules come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Permitted; whoever acts on it charges this first.
    Permitted(Box<Charge>),
    /// Nothing refuses, and these approvals are missing.
    Needs(Vec<Missing>),
    /// Every rule that refuses.
    Refused(Vec<Finding>),
}

/// Judges a case. All refusals are returned, and the order of rules never matters.
pub fn judge(case: &Case<'_>) -> Verdict {
    let charge = case.charge();
    let mut refusals = Vec::new();
    refusals.extend(wrong_wallet(case));
    refusals.extend(expired(case));
    refusals.extend(not_allowed(case, &charge));
    refusals.extend(replacement::objections(case, &charge));
    for limit in case.policy.limits_for(case.requester, case.wallet_name) {
        refusals.extend(limits::exceeded(case, &charge, limit));
    }
    if !refusals.is_empty() {
        return Verdict::Refused(refusals);
    }
    let missing = requirements::missing(case, &charge);
    if missing.is_empty() { Verdict::Permitted(Box::new(charge)) } else { Verdict::Needs(missing) }
}

fn wrong_wallet(case: &Case<'_>) -> Option<Finding> {
    let refuse = |message| {
        Some(
            Finding::refuse(Rule::UnknownWallet, message)
                .hint("the policy must name the wallet as its key is named"),
        )
    };
    match case.policy.terms().wallets.get(case.wallet_name) {
        None => refuse(format!("the policy has no wallet `{}`", case.wallet_name)),
        Some(terms) if terms.id.is_some_and(|id| id != case.wallet.id()) => refuse(format!(
            "the policy's wallet `{}` has another descriptor than this wallet {}",
            case.wallet_name,
            case.wallet.id()
        )),
        Some(_) => None,
    }
}

fn expired(case: &Case<'_>) -> Option<Finding> {
    let until = case.policy.terms().valid_until.filter(|until| case.now > *until)?;
    Some(
        Finding::refuse(
            Rule::PolicyExpired,
            format!("the policy was valid until {}, it is {}", utc_text(until), utc_text(case.now)),
        )
        .hint("the policy officers must renew it"),
    )
}

/// Every output that leaves the wallet must be covered; a payment back to self needs a rule of its own.
fn not_allowed(case: &Case<'_>, charge: &Charge) -> Vec<Finding> {
    let rules: Vec<&Allow> = case
        .policy
        .terms()
        .allows
        .iter()
        .filter(|allow| {
            allow.wallet == case.wallet_name && case.policy.is_member(case.requester, &allow.requesters)
        })
        .collect();
    let refuse = |message: String| {
        Finding::refuse(Rule::NotAllowed, message)
            .hint("only what an `allow` rule of the policy names is permitted")
    };
    if rules.is_empty() {
        let who = case.policy.person(case.requester);
        return vec![refuse(format!("no rule lets {who} pay from wallet `{}`", case.wallet_name))];
    }
    if case.spend.external_outputs().next().is_none() {
        // To take an earlier payment back is always allowed to whoever may ask for payments.
        let back = rules.iter().any(|allow| allow.to.contains(&Destination::Back))
            || case.supersedes
            || replacement::predecessors(case, charge).next().is_some();
        return if back { vec![] } else { vec![refuse("no rule allows payments back to self".to_owned())] };
    }
    let covers = |output: &SpendOutput| {
        rules.iter().flat_map(|allow| &allow.to).any(|to| match to {
            Destination::Anyone => true,
            Destination::Back => false,
            Destination::Script(script) => *script == output.script,
        })
    };
    case.spend
        .external_outputs()
        .filter(|output| !covers(output))
        .map(|output| {
            let to = crate::evidence::script_text(&output.script, case.wallet.network());
            refuse(format!("no rule allows payments to {to}"))
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::examine::FeeCeiling;
    use crate::identity::tests::public;
    use crate::policy::PolicyTerms;
    use crate::policy::Window;
    use crate::policy::tests::{limit, terms};
    use crate::spend::tests::{foreign_script, parts};
    use crate::wallet::tests::regtest_wallet;
    use bitcoin::Amount;
    use proptest::prelude::*;

    /// A case; its policy is that of [`terms`].
    pub struct Trial {
        pub spend: Spend,
        pub request: Option<Request>,
        pub requester: u8,
        pub approvers: Vec<PublicKey>,
        pub history: History,
        pub dead: BTreeSet<SpendId>,
    }

    impl Default for Trial {
        fn default() -> Self {
            let spend = Spend::new(parts()).unwrap();
            Self {
                spend,
                request: None,
                requester: 3,
                approvers: vec![],
                history: History::default(),
                dead: BTreeSet::new(),
            }
        }
    }

    impl Trial {
        /// The codes of all refusals, or what is missing; nothing when it is permitted.
        pub fn codes(&self, change: impl FnOnce(&mut PolicyTerms)) -> Vec<String> {
            let mut terms = terms();
            change(&mut terms);
            let case = Case {
                policy: &Policy::new(terms).unwrap(),
                wallet: &regtest_wallet(),
                wallet_name: "savings",
                spend: &self.spend,
                requester: &Requester::Key(public(self.requester)),
                request: self.request.as_ref(),
                approvers: &self.approvers,
                history: &self.history,
                dead: &self.dead,
                supersedes: false,
                time: 100_000,
                now: 100_000,
            };
            match judge(&case) {
                Verdict::Permitted(charge) => {
                    assert_eq!(*charge, case.charge());
                    vec![]
                }
                Verdict::Needs(missing) => missing.iter().map(|m| format!("needs {m}")).collect(),
                Verdict::Refused(findings) => findings.iter().map(|f| f.code.to_string()).collect(),
            }
        }
    }

    fn codes(change: impl FnOnce(&mut PolicyTerms), history: &[(u64, u64)], requester: u8) -> Vec<String> {
        let charges = history.iter().map(|(sat, at)| crate::history::tests::charge(*sat, *at));
        Trial { requester, history: History::of_journal(charges.collect()), ..Trial::default() }.codes(change)
    }

    const OUTFLOW: u64 = 40_010_000;

    #[test]
    fn within_every_limit_is_permitted() {
        assert_eq!(codes(|_| (), &[], 3), [""; 0]);
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert_eq!(codes(|t| t.allows.clear(), &[], 3), ["not-allowed"]);
        assert_eq!(codes(|_| (), &[], 4), ["not-allowed"], "a key in a group without a rule");
        assert_eq!(codes(|_| (), &[], 5), ["not-allowed"], "a key in no group");
        assert_eq!(codes(|t| t.allows[0].to = vec![Destination::Back], &[], 3), ["not-allowed"]);
        assert_eq!(
            codes(|t| t.allows[0].to = vec![Destination::Script(foreign_script(8))], &[], 3),
            ["not-allowed"]
        );
        assert_eq!(codes(|t| t.allows[0].to = vec![Destination::Script(foreign_script(9))], &[], 3), [""; 0]);
    }

    #[test]
    fn a_limit_is_inclusive_and_one_satoshi_more_is_refused() {
        let at = |sat| move |t: &mut PolicyTerms| t.limits[0].per_payment = Some(Amount::from_sat(sat));
        assert_eq!(codes(at(OUTFLOW), &[], 3), [""; 0]);
        assert_eq!(codes(at(OUTFLOW - 1), &[], 3), ["limit-per-payment"]);
    }

    #[test]
    fn a_window_counts_this_payment_and_what_is_inside_it() {
        let window = |amount: Option<u64>, count| {
            move |t: &mut PolicyTerms| {
                t.limits[0] = limit("Day", |l| {
                    l.per_window =
                        Some(Window { seconds: 1_000, amount: amount.map(Amount::from_sat), count });
                });
            }
        };
        let history = [(7, 99_000), (5, 99_001), (3, 100_500)];
        assert_eq!(codes(window(Some(OUTFLOW + 8), None), &history, 3), [""; 0]);
        assert_eq!(codes(window(Some(OUTFLOW + 7), None), &history, 3), ["limit-per-window"]);
        assert_eq!(codes(window(None, Some(3)), &history, 3), [""; 0]);
        assert_eq!(codes(window(None, Some(2)), &history, 3), ["limit-per-window"]);
        assert_eq!(codes(window(Some(u64::MAX / 2), None), &[(u64::MAX, 99_500)], 3), ["limit-per-window"]);
    }

    #[test]
    fn the_fee_is_limited_on_three_bases() {
        let fee = |amount, percent, sat_per_vb| {
            move |t: &mut PolicyTerms| {
                t.limits[0] = limit("Fee", |l| {
                    l.fee = Some(FeeCeiling { amount: Amount::from_sat(amount), percent, sat_per_vb });
                });
            }
        };
        // 10 000 sat for 141 vB: 70.9 sat/vB.
        assert_eq!(codes(fee(10_000, 1, 71), &[], 3), [""; 0]);
        assert_eq!(codes(fee(9_999, 1, 71), &[], 3), ["limit-fee"]);
        assert_eq!(codes(fee(10_000, 1, 70), &[], 3), ["limit-fee"]);
        assert_eq!(
            codes(fee(10_000, 0, 71), &[], 3),
            ["limit-fee"],
            "the percentage counts from 10 000 sat on"
        );
    }

    #[test]
    fn another_wallet_and_an_expired_policy_are_refused() {
        assert_eq!(
            codes(|t| t.wallets.get_mut("savings").unwrap().id = Some(crate::id::WalletId::of(b"x")), &[], 3),
            ["unknown-wallet"]
        );
        assert_eq!(codes(|t| t.valid_until = Some(99_999), &[], 3), ["policy-expired"]);
        assert_eq!(codes(|t| t.valid_until = Some(100_000), &[], 3), [""; 0]);
    }

    proptest! {
        #[test]
        fn the_order_of_rules_never_matters(seed in any::<u64>(), sats in proptest::collection::vec(1u64..80_000_000, 1..6)) {
            let make = |reverse: bool| {
                codes(|t| {
                    for (i, sat) in sats.iter().enumerate() {
                        t.limits.push(limit(&format!("L{i}"), |l| {
                            if (seed >> i) & 1 == 0 { l.per_payment = Some(Amount::from_sat(*sat)); }
                            else { l.per_window = Some(Window { seconds: *sat, amount: Some(Amount::from_sat(*sat)), count: None }); }
                        }));
                    }
                    if reverse { t.limits.reverse(); }
                }, &[(1_000_000, 99_000)], 3)
            };
            let (mut a, mut b) = (make(false), make(true));
            a.sort();
            b.sort();
            prop_assert_eq!(a, b);
        }
    }
}
