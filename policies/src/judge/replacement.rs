//! A payment that takes the place of an earlier one (BIP125). Both spend one coin, so only one of them is ever mined.

use super::Case;
use crate::check::{Finding, Rule};
use crate::history::Charge;
use crate::policy::Replacement;
use crate::spend::Spend;
use bitcoin::OutPoint;

/// The coin that tells which group of replacements a payment belongs to: that of its request, else that of an earlier
/// payment whose anchor it spends, else its first.
pub(super) fn anchor(case: &Case<'_>) -> OutPoint {
    if let Some(request) = case.request {
        return request.anchor;
    }
    let earlier = case.history.charges().iter().filter(|charge| charge.wallet == case.wallet_name);
    let anchors = earlier.map(|charge| charge.anchor);
    anchors.into_iter().find(|anchor| spends(case.spend, anchor)).unwrap_or_else(|| case.spend.anchor())
}

/// The earlier payments whose place it would take.
pub fn predecessors<'a>(case: &Case<'a>, charge: &Charge) -> impl Iterator<Item = &'a Charge> {
    let anchor = charge.anchor;
    others(case, charge).filter(move |earlier| earlier.anchor == anchor)
}

/// The wallet's other payments that may still be mined, or were.
fn others<'a>(case: &Case<'a>, charge: &Charge) -> impl Iterator<Item = &'a Charge> {
    let (spend, wallet, dead) = (charge.spend, case.wallet_name, case.dead);
    case.history.charges().iter().filter(move |earlier| {
        earlier.wallet == wallet && earlier.spend != spend && !dead.contains(&earlier.spend)
    })
}

/// Why it may not take their place: it does not say so, pays somebody else, comes too late, or the policy wants none. Nor
/// may it take the place of payments of two groups.
pub(super) fn objections(case: &Case<'_>, charge: &Charge) -> Vec<Finding> {
    let terms = case.policy.terms().wallets.get(case.wallet_name);
    let allowed = terms.map_or(Replacement::BackOnly, |terms| terms.replacement);
    let objections =
        predecessors(case, charge).filter_map(|earlier| objection(case, charge, earlier, allowed));
    objections.chain(foreign_group(case, charge)).collect()
}

fn foreign_group(case: &Case<'_>, charge: &Charge) -> Option<Finding> {
    let is_foreign =
        |earlier: &&Charge| earlier.anchor != charge.anchor && spends(case.spend, &earlier.anchor);
    let earlier = others(case, charge).find(is_foreign)?;
    let message =
        format!("it spends the coin {} of another payment, spend {}", earlier.anchor, earlier.spend);
    Some(
        Finding::refuse(Rule::NotReplaceable, message)
            .hint("a payment replaces one other: `watch-node bump`"),
    )
}

fn objection(case: &Case<'_>, charge: &Charge, earlier: &Charge, allowed: Replacement) -> Option<Finding> {
    let refuse = |message: String, hint: &str| {
        Some(Finding::refuse(Rule::NotReplaceable, message).hint(hint.to_owned()))
    };
    let replaced = earlier.spend;
    if case.history.settled(&replaced).is_some() {
        return refuse(
            format!("it would take the place of spend {replaced}, which is settled"),
            "ask again for another payment: `watch-node pay`",
        );
    }
    let undeclared = case.request.is_some_and(|request| {
        earlier.request.is_none_or(|id| id != request.id() && !request.replaces.contains(&id))
    });
    if undeclared {
        return refuse(
            format!("it would take the place of spend {replaced}, and its request does not say so"),
            "raise the fee of the earlier payment instead: `watch-node bump`",
        );
    }
    if let Some(coin) = earlier.coins.difference(&charge.coins).next() {
        return refuse(
            format!(
                "it would take the place of spend {replaced} and leave out its coin {coin}, which is signed for ever"
            ),
            "a replacement spends every coin of what it replaces: `watch-node bump`",
        );
    }
    let back = charge.paid.is_empty();
    if !back && sorted(charge) != sorted(earlier) {
        return refuse(
            format!("it would take the place of spend {replaced}, which pays others or other amounts"),
            "a replacement changes only the fee, or pays everything back: `watch-node bump`",
        );
    }
    if !back && allowed == Replacement::BackOnly {
        return refuse(
            format!("it would take the place of spend {replaced}, and the policy allows no replacement"),
            "pay back to the wallet itself instead: `watch-node bump --to-self`",
        );
    }
    None
}

fn sorted(charge: &Charge) -> Vec<&crate::request::Recipient> {
    let mut paid: Vec<_> = charge.paid.iter().collect();
    paid.sort();
    paid
}

fn spends(spend: &Spend, coin: &OutPoint) -> bool {
    spend.inputs().iter().any(|input| input.outpoint == *coin)
}

#[cfg(test)]
mod tests {
    use crate::history::{Charge, History, tests::charge};
    use crate::identity::tests::public;
    use crate::judge::tests::Trial;
    use crate::policy::{Replacement, Requester, Window};
    use crate::request::tests::request;
    use crate::request::{Recipient, Request};
    use crate::spend::tests::{foreign_script, outpoint, parts};
    use crate::spend::{Spend, SpendParts};
    use bitcoin::Amount;

    /// An earlier payment of the same request, with a lower fee.
    fn earlier() -> Charge {
        Charge {
            request: Some(request().id()),
            requester: Requester::Key(public(3)),
            anchor: outpoint(1),
            paid: request().recipients,
            ..charge(40_005_000, 99_500)
        }
    }

    fn codes(earlier: Charge, asked: Option<Request>, allowed: Replacement) -> Vec<String> {
        let history = History::of_journal(vec![earlier]);
        let trial = Trial { history, request: asked, ..Trial::default() };
        trial.codes(|terms| terms.wallets.get_mut("savings").unwrap().replacement = allowed)
    }

    const REFUSED: [&str; 1] = ["not-replaceable"];

    #[test]
    fn another_fee_for_the_same_recipients_is_allowed_when_it_is_declared() {
        assert_eq!(codes(earlier(), Some(request()), Replacement::FeeOnly), [""; 0]);
        let mut fresh = request();
        fresh.payment = 43;
        assert_eq!(
            codes(earlier(), Some(fresh.clone()), Replacement::FeeOnly),
            REFUSED,
            "it does not say so"
        );
        fresh.replaces = vec![request().id()];
        assert_eq!(codes(earlier(), Some(fresh), Replacement::FeeOnly), [""; 0]);
        assert_eq!(
            codes(earlier(), None, Replacement::FeeOnly),
            [""; 0],
            "without requests the operator is asked"
        );
    }

    #[test]
    fn every_coin_of_the_earlier_payment_is_spent_again() {
        let with = |n: &[u8]| {
            let coins = n.iter().map(|n| outpoint(*n)).collect();
            codes(Charge { coins, ..earlier() }, Some(request()), Replacement::FeeOnly)
        };
        assert_eq!(with(&[1]), [""; 0]);
        assert_eq!(with(&[1, 2]), REFUSED);
    }

    #[test]
    fn other_recipients_or_amounts_are_refused() {
        let pays = |script, sat| {
            let paid = vec![Recipient { script, amount: Amount::from_sat(sat) }];
            codes(Charge { paid, ..earlier() }, Some(request()), Replacement::FeeOnly)
        };
        assert_eq!(pays(foreign_script(9), 40_000_001), REFUSED);
        assert_eq!(pays(foreign_script(8), 40_000_000), REFUSED);
        let back = Charge { paid: vec![], ..earlier() };
        assert_eq!(
            codes(back, Some(request()), Replacement::FeeOnly),
            REFUSED,
            "what was taken back stays back"
        );
    }

    #[test]
    fn a_settled_payment_is_paid_and_two_groups_are_not_one() {
        let settled = std::collections::BTreeMap::from([(earlier().spend, 99_600)]);
        let history = History::of_ledger(vec![earlier()], settled);
        let trial = Trial { history, request: Some(request()), ..Trial::default() };
        assert_eq!(trial.codes(|_| ()), REFUSED);
        let mut elsewhere = request();
        elsewhere.anchor = outpoint(2);
        assert_eq!(
            codes(earlier(), Some(elsewhere), Replacement::FeeOnly),
            REFUSED,
            "it spends that coin too"
        );
    }

    #[test]
    fn the_policy_may_forbid_all_but_paying_back() {
        assert_eq!(codes(earlier(), Some(request()), Replacement::BackOnly), REFUSED);
    }

    #[test]
    fn paying_back_needs_no_rule_when_it_takes_a_payment_back() {
        let back = |history: Vec<Charge>| {
            let SpendParts { mut outputs, inputs, network, wallet, version, lock_time } = parts();
            outputs.remove(0);
            outputs[0].value = Amount::from_sat(99_980_000);
            let spend =
                Spend::new(SpendParts { outputs, inputs, network, wallet, version, lock_time }).unwrap();
            let mut asked = request();
            asked.recipients.clear();
            asked.replaces = vec![request().id()];
            let trial = Trial {
                spend,
                request: Some(asked),
                history: History::of_journal(history),
                ..Trial::default()
            };
            trial.codes(|terms| terms.wallets.get_mut("savings").unwrap().replacement = Replacement::BackOnly)
        };
        assert_eq!(back(vec![earlier()]), [""; 0]);
        assert_eq!(back(vec![]), ["not-allowed"], "by itself it needs `to = [\"self\"]`");
    }

    #[test]
    fn a_replacement_counts_once_with_the_higher_amount() {
        let counted = |earlier: Charge, most: u64, count: u64| {
            let history = History::of_journal(vec![earlier]);
            let trial = Trial { history, request: Some(request()), ..Trial::default() };
            trial.codes(|terms| {
                terms.limits[0].per_payment = None;
                terms.limits[0].per_window =
                    Some(Window { seconds: 1_000, amount: Some(Amount::from_sat(most)), count: Some(count) });
            })
        };
        assert_eq!(counted(earlier(), 40_010_000, 1), [""; 0]);
        assert_eq!(counted(earlier(), 40_009_999, 1), ["limit-per-window"]);
        let mut dearer = earlier();
        dearer.outflow = Amount::from_sat(40_020_000);
        assert_eq!(counted(dearer, 40_019_999, 1), ["limit-per-window"]);
        let mut another = earlier();
        another.anchor = outpoint(2);
        assert_eq!(counted(another, 100_000_000, 1), ["limit-per-window"], "no replacement: two payments");
    }
}
