//! The rule engine: default deny. The gatekeeper runs it over its ledger, the vault over its journal.

use crate::check::{Finding, Rule};
use crate::history::{Charge, History};
use crate::id::RequestId;
use crate::policy::{Allow, Destination, Limit, Policy, Requester, Window};
use crate::spend::{Spend, SpendOutput};
use crate::text::{amount_text, duration_text, utc_text};
use crate::wallet::Wallet;

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
    pub request: Option<RequestId>,
    /// What was charged before.
    pub history: &'a History,
    /// Time for windows and validity, unix seconds.
    pub now: u64,
}

/// What the rules come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Permitted; whoever acts on it charges this first.
    Permitted(Charge),
    /// Every rule that refuses.
    Refused(Vec<Finding>),
}

/// Judges a case. All refusals are returned, and the order of rules never matters.
pub fn judge(case: &Case<'_>) -> Verdict {
    let mut refusals = Vec::new();
    refusals.extend(wrong_wallet(case));
    refusals.extend(expired(case));
    refusals.extend(not_allowed(case));
    for limit in case.policy.limits_for(case.requester, case.wallet_name) {
        refusals.extend(exceeded(case, limit));
    }
    if refusals.is_empty() {
        Verdict::Permitted(Charge {
            spend: case.spend.id(),
            request: case.request,
            wallet: case.wallet_name.to_owned(),
            requester: case.requester.clone(),
            outflow: case.spend.outflow(),
            at: case.now,
        })
    } else {
        Verdict::Refused(refusals)
    }
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
fn not_allowed(case: &Case<'_>) -> Vec<Finding> {
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
        let who = match case.requester {
            Requester::Operator => "the operator".to_owned(),
            Requester::Key(key) => key.fingerprint(),
        };
        return vec![refuse(format!("no rule lets {who} pay from wallet `{}`", case.wallet_name))];
    }
    if case.spend.external_outputs().next().is_none() {
        let back = rules.iter().any(|allow| allow.to.contains(&Destination::Back));
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

fn exceeded(case: &Case<'_>, limit: &Limit) -> Vec<Finding> {
    let mut findings = Vec::new();
    let outflow = case.spend.outflow();
    if let Some(most) = limit.per_payment.filter(|most| outflow > *most) {
        findings.push(
            Finding::refuse(
                Rule::LimitPerPayment,
                format!(
                    "limit `{}`: {} would leave the wallet, at most {} may in one payment",
                    limit.name,
                    amount_text(outflow),
                    amount_text(most)
                ),
            )
            .hint("pay less at once"),
        );
    }
    if let Some(window) = limit.per_window {
        findings.extend(window_exceeded(case, limit, window));
    }
    if let Some(fee) = limit.fee {
        let bases = fee.exceeded(case.spend, case.spend.signed_vsize(case.wallet));
        if !bases.is_empty() {
            findings.push(
                Finding::refuse(
                    Rule::LimitFee,
                    format!("limit `{}`: the fee is {}", limit.name, bases.join("; ")),
                )
                .hint("build the payment again with a lower feerate"),
            );
        }
    }
    findings
}

/// A limit counts what it applies to: charges of its groups and of its wallet. The payment itself is included.
fn window_exceeded(case: &Case<'_>, limit: &Limit, window: Window) -> Option<Finding> {
    let counts = |charge: &Charge| {
        limit.wallet.as_ref().is_none_or(|name| *name == charge.wallet)
            && limit.requesters.as_ref().is_none_or(|groups| case.policy.is_member(&charge.requester, groups))
            && charge.spend != case.spend.id()
    };
    let (sum, count) = case.history.charged(case.now, window.seconds, counts);
    let total = sum.and_then(|sum| sum.checked_add(case.spend.outflow()));
    let over = window.amount.is_some_and(|most| total.is_none_or(|total| total > most));
    let often = window.count.is_some_and(|most| count.saturating_add(1) > most);
    if !over && !often {
        return None;
    }
    let mut ceilings = Vec::new();
    ceilings.extend(window.amount.map(amount_text));
    ceilings.extend(window.count.map(|count| format!("{count} payments")));
    Some(
        Finding::refuse(
            Rule::LimitPerWindow,
            format!(
                "limit `{}`: with this payment {} in {} payments within {}; at most {}",
                limit.name,
                total.map_or_else(|| "more than 2^64 sat".to_owned(), amount_text),
                count.saturating_add(1),
                duration_text(window.seconds),
                ceilings.join(" and ")
            ),
        )
        .hint("wait until earlier payments leave the window, or pay less"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examine::FeeCeiling;
    use crate::identity::tests::public;
    use crate::policy::PolicyTerms;
    use crate::policy::tests::{limit, terms};
    use crate::spend::tests::{foreign_script, parts};
    use crate::wallet::tests::regtest_wallet;
    use bitcoin::Amount;
    use proptest::prelude::*;

    fn codes(change: impl FnOnce(&mut PolicyTerms), history: &[(u64, u64)], requester: u8) -> Vec<String> {
        let mut terms = terms();
        change(&mut terms);
        let history =
            History::new(history.iter().map(|(sat, at)| crate::history::tests::charge(*sat, *at)).collect());
        let case = Case {
            policy: &Policy::new(terms).unwrap(),
            wallet: &regtest_wallet(),
            wallet_name: "savings",
            spend: &Spend::new(parts()).unwrap(),
            requester: &Requester::Key(public(requester)),
            request: None,
            history: &history,
            now: 100_000,
        };
        match judge(&case) {
            Verdict::Permitted(charge) => {
                assert_eq!(charge.outflow.to_sat(), 40_010_000);
                vec![]
            }
            Verdict::Refused(findings) => findings.iter().map(|f| f.code.to_string()).collect(),
        }
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
        assert_eq!(codes(fee(10_000, 0, 71), &[], 3), [""; 0]);
        assert_eq!(codes(fee(9_999, 0, 71), &[], 3), ["limit-fee"]);
        assert_eq!(codes(fee(10_000, 0, 70), &[], 3), ["limit-fee"]);
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
