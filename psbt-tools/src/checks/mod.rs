//! The numbered checks that need the PSBT itself; those that need only the spend are in [`policies::examine`].

pub(crate) mod amounts;
mod claims;
pub(crate) mod coins;
pub(crate) mod inside;
pub(crate) mod ownership;
pub(crate) mod signatures;
pub(crate) mod taproot;

use crate::envelope;
use bitcoin::Psbt;
use policies::check::{Check, Code, Finding, Outcome};
use std::collections::BTreeSet;

/// C22: fields that nobody here understands are kept, counted, and never believed.
pub(crate) fn unknown_fields(psbt: &Psbt) -> Finding {
    let ours = psbt.proprietary.keys().filter(|key| envelope::kind_of(key).is_some()).count();
    let mut proprietary = psbt.proprietary.len().saturating_sub(ours);
    let mut unknown = psbt.unknown.len();
    for (more_proprietary, more_unknown) in psbt
        .inputs
        .iter()
        .map(|input| (input.proprietary.len(), input.unknown.len()))
        .chain(psbt.outputs.iter().map(|output| (output.proprietary.len(), output.unknown.len())))
    {
        proprietary = proprietary.saturating_add(more_proprietary);
        unknown = unknown.saturating_add(more_unknown);
    }
    Finding::pass(
        Check::UNKNOWN_FIELDS,
        format!("{unknown} unknown and {proprietary} foreign proprietary fields are kept and not believed"),
    )
}

/// One list for every check from C01 to C34: what is wrong drives out what passes, and a check that found something in
/// the PSBT speaks for the same check over the spend.
pub(crate) fn merge(from_psbt: Vec<Finding>, from_spend: Vec<Finding>) -> Vec<Finding> {
    let mut merged = Vec::new();
    for check in (1..=34).filter_map(Check::from_number) {
        let of = |findings: &[Finding]| -> Vec<Finding> {
            findings.iter().filter(|finding| finding.code == Code::Check(check)).cloned().collect()
        };
        let (mine, theirs) = (of(&from_psbt), of(&from_spend));
        let wrong = |findings: &[Finding]| findings.iter().any(|finding| finding.outcome >= Outcome::Ask);
        let chosen = if wrong(&mine) {
            mine
        } else if wrong(&theirs) {
            theirs
        } else {
            [mine, theirs].concat()
        };
        let worst = chosen.iter().map(|finding| finding.outcome).max();
        let mut kept: Vec<Finding> = Vec::new();
        let mut said = BTreeSet::new();
        for finding in chosen {
            let speaks = if finding.outcome >= Outcome::Ask {
                said.insert((finding.outcome, finding.message.clone()))
            } else {
                kept.is_empty() && Some(finding.outcome) == worst
            };
            if speaks {
                kept.push(finding);
            }
        }
        if kept.is_empty() {
            kept.push(Finding::not_applicable(check, reason(check)));
        }
        merged.append(&mut kept);
    }
    merged
}

/// Why a check that found nothing at all did not run.
fn reason(check: Check) -> &'static str {
    match check.number() {
        5 => "the vault's journal knows what was signed before",
        9 => "runs when a wallet is registered",
        30 => "no network is meant, and no registered wallet was matched",
        28 => "runs in the vault when it signs, and when a signature is put into the file",
        32 => "no message is signed",
        33 => "runs when the signed transaction is compared with its request",
        34 => "runs in the gatekeeper and in the vault",
        6..=8 | 10..=12 | 23 | 29 => "no registered wallet was matched",
        _ => "a check before it failed, or a descriptor is needed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_did_not_run_says_why() {
        let merged = merge(Vec::new(), Vec::new());
        assert_eq!(merged.len(), 34);
        let says = |number: usize, part: &str| {
            let finding = &merged[number - 1];
            assert_eq!(finding.outcome, Outcome::NotApplicable);
            assert!(finding.message.contains(part), "C{number:02}: {}", finding.message);
        };
        says(5, "journal");
        says(9, "registered");
        says(28, "when it signs");
        says(30, "no network is meant");
        says(32, "message");
        says(33, "compared with its request");
        says(34, "gatekeeper");
        for number in [6, 7, 8, 10, 11, 12, 23, 29] {
            says(number, "no registered wallet was matched");
        }
        says(1, "a check before it failed");
    }

    #[test]
    fn what_is_wrong_drives_out_what_passes_and_is_said_once() {
        let pass = |text: &str| Finding::pass(Check::FEE, text.to_owned());
        let ask = |text: &str| Finding::ask(Check::FEE, text.to_owned());
        let fee = |psbt: &[Finding], spend: &[Finding]| -> Vec<String> {
            let merged = merge(psbt.to_vec(), spend.to_vec());
            let of_fee = merged.into_iter().filter(|finding| finding.code == Code::Check(Check::FEE));
            of_fee.map(|finding| finding.message).collect()
        };
        assert_eq!(fee(&[pass("a")], &[ask("b")]), ["b"]);
        assert_eq!(fee(&[ask("a")], &[ask("b")]), ["a"]);
        assert_eq!(fee(&[pass("a")], &[pass("b")]), ["a"]);
        assert_eq!(fee(&[ask("a"), ask("a"), ask("b")], &[]), ["a", "b"]);
        // What does not apply does not stand before what passes.
        assert_eq!(fee(&[Finding::not_applicable(Check::FEE, "a")], &[pass("b")]), ["b"]);
    }
}
