//! Hard ceilings. Every one that applies must hold.

use super::Case;
use crate::check::{Finding, Rule};
use crate::history::{Charge, Totals};
use crate::policy::{Limit, Policy, Window};
use crate::text::{amount_text, duration_text};
use bitcoin::Amount;

/// Every way in which a payment exceeds a limit that applies to it.
pub(super) fn exceeded(case: &Case<'_>, charge: &Charge, limit: &Limit) -> Vec<Finding> {
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
        findings.extend(window_exceeded(case, charge, limit, window));
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

impl Limit {
    /// What of a charge counts against it: charges of its groups and of its wallet do, with their outflow.
    pub fn part(&self, policy: &Policy, charge: &Charge) -> Option<Amount> {
        let (who, from) = (self.requesters.as_deref(), self.wallet.as_deref());
        policy.in_scope(who, from, &charge.requester, &charge.wallet).then_some(charge.outflow)
    }
}

/// The payment itself is included, and a total at the ceiling passes.
fn window_exceeded(case: &Case<'_>, charge: &Charge, limit: &Limit, window: Window) -> Option<Finding> {
    let part = |charge: &Charge| limit.part(case.policy, charge);
    let Totals { sum, count } = case.history.totals(case.time, window.seconds, Some(charge), part);
    let over = window.amount.is_some_and(|most| sum.is_none_or(|sum| sum > most));
    let often = window.count.is_some_and(|most| count > most);
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
                sum.map_or_else(|| "more than 2^64 sat".to_owned(), amount_text),
                count,
                duration_text(window.seconds),
                ceilings.join(" and ")
            ),
        )
        .hint("wait until earlier payments leave the window, or pay less"),
    )
}
