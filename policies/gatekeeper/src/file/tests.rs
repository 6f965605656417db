//! Every way in which a policy file can be wrong, with the message that the treasurer sees.

use super::*;
use policies::policy::Replacement;

const SMALLEST: &str = include_str!("../../tests/policies/smallest.toml");
const COMPANY: &str = include_str!("../../tests/policies/company.toml");
const MANAGERS: &str = include_str!("../../tests/policies/managers.toml");

fn edited(from: &str, to: &str) -> String {
    edited_in(COMPANY, from, to)
}

fn edited_in(policy: &str, from: &str, to: &str) -> String {
    assert!(policy.contains(from), "the edit applies: {from}");
    let text = policy.replacen(from, to, 1);
    match parse("policy.toml", &text) {
        Ok(_) => "accepted".to_owned(),
        Err(problems) => {
            let last = problems.list().last().and_then(|problem| problem.hint.clone());
            format!("error: {problems}\nhint: {}", last.unwrap_or_else(|| "-".to_owned()))
        }
    }
}

fn after(line: &str, more: &str) -> String {
    edited(line, &format!("{line}\n{more}"))
}

#[test]
fn the_smallest_policy_is_read_and_explained() {
    let file = parse("policy.toml", SMALLEST).unwrap();
    assert_eq!(file.network, Network::Regtest);
    let shown = explain(&file).join("\n");
    insta::assert_snapshot!(shown);
}

/// All cases in one snapshot, each under the edit that made it.
macro_rules! cases {
    ($($name:literal => $message:expr),+ $(,)?) => {
        [$((($name), $message)),+].into_iter().map(|(name, message)| format!("## {name}\n{message}\n")).collect::<Vec<_>>().join("\n")
    };
}

#[test]
fn what_this_version_does_not_judge_is_refused_by_name() {
    let shown = cases! {
        "identity" => after("network = \"regtest\"", "[identity]\nofficer_ca = \"x\""),
        "delay" => edited_in(SMALLEST, "count = 1 }]", "count = 1 }]\ndelay = \"6 hours\"\ncancel = \"anna\""),
        "evacuate" => after("to = [\"anyone\", \"self\"]", "[[evacuate]]\nfrom = \"savings\""),
        "governance" => after("network = \"regtest\"", "[governance]\nfreeze = 1"),
        "address book" => after("network = \"regtest\"", "[address-book.suppliers]\ncooldown = \"1 day\""),
        "destination in an address book" => edited("[\"anyone\", \"self\"]", "[\"suppliers\"]"),
        "hours" => after("per_payment = \"1 BTC\"", "hours = \"Mon-Fri\""),
        "confirmations" => after("[wallet.savings]", "min_confirmations = 3"),
    };
    insta::assert_snapshot!(shown);
}

#[test]
fn people_groups_and_requirements_are_read_and_explained() {
    let file = parse("policy.toml", MANAGERS).unwrap_or_else(|problems| panic!("{problems}"));
    insta::assert_snapshot!(explain(&file).join("\n"));
    let terms = file.policy.terms();
    assert_eq!((terms.permit_valid_for, terms.headers_max_age), (5 * 24 * 3_600, 3 * 3_600));
    assert_eq!(terms.wallets["savings"].replacement, Replacement::BackOnly);
}

#[test]
fn people_and_quorums_that_make_no_sense_are_refused() {
    let edit = |from: &str, to: &str| edited_in(MANAGERS, from, to);
    let anna = MANAGERS.lines().find_map(|line| line.strip_prefix("anna = ")).unwrap();
    let shown = cases! {
        "one name" => edit("managers = [\"anna\", \"ben\"]", "managers = \"anna\""),
        "unknown person" => edit("managers = [\"anna\", \"ben\"]", "managers = [\"ana\", \"ben\"]"),
        "keys and names" => edit("managers = [\"anna\", \"ben\"]", &format!("managers = [{anna}, \"ben\"]")),
        "a group in a group" => edit("board = [\"anna\", \"carl\"]", "board = [\"managers\", \"carl\"]"),
        "named twice" => edit("board = [\"anna\", \"carl\"]", "board = [\"anna\", \"anna\"]"),
        "one key for two" => edit("carl = ", &format!("carl = {anna}\nother = ")),
        "too few people" => edit("{ from = \"board\", count = 2 }", "{ from = \"board\", count = 3 }"),
        "a quorum of nobody" => edit("{ from = \"board\", count = 2 }", "{ from = \"board\", count = 0 }"),
        "undefined group" => edit("{ from = \"board\", count = 2 }", "{ from = \"bord\", count = 2 }"),
        "nobody's approval" => edit("[{ from = \"board\", count = 2 }]", "[]"),
        "no approvals" => edit("approvals = [{ from = \"board\", count = 2 }]", ""),
        "no sum" => edit("by = [\"requester\", \"destination\"]", "by = [\"requestor\", \"day\"]"),
        "sums of nothing" => edit("by = [\"requester\", \"destination\"]", "by = []"),
        "above without an amount" => edit("amount = \"0.1 BTC\", by", "by"),
        "replacement" => edit("replacement = \"no\"", "replacement = \"fee\""),
        "age as a number" => edit("headers_max_age = \"3 hours\"", "headers_max_age = 3"),
        "two rules of one name" => edit("name = \"Board\"", "name = \"Manager\""),
    };
    insta::assert_snapshot!(shown);
}

#[test]
fn rules_that_nobody_or_too_few_can_meet_are_noted() {
    let notes = |text: &str| -> String {
        let file = parse("policy.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
        explain(&file).into_iter().filter(|line| line.starts_with("note:")).collect::<Vec<_>>().join("\n")
    };
    let shown = [
        // Anna may ask now, and the board cannot do without her.
        notes(&MANAGERS.replace("requesters = \"desk\"", "requesters = [\"desk\", \"anna\"]")),
        // Two of the board and two managers are four places for three people.
        notes(&MANAGERS.replace("{ from = \"managers\", count = 1 }", "{ from = \"managers\", count = 2 }")),
        notes(&COMPANY.replace("[people]", "[people]\nempty = []")),
    ];
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn names_that_mean_nothing_are_refused_with_the_nearest() {
    let shown = cases! {
        "unknown key" => edited("company =", "compny ="),
        "unknown key in a limit" => edited("per_payment =", "per_paymnt ="),
        "unknown table" => after("network = \"regtest\"", "[colours]\nred = 1"),
        "undefined group" => edited("requesters = \"desk\"", "requesters = [\"des\"]"),
        "undefined wallet" => edited("wallet = \"savings\"", "wallet = \"saving\""),
        "two rules of one name" => edited("name = \"A payment\"", "name = \"Desk pays anyone\""),
        "one key twice" => after("[permit]", "valid_for = \"1 day\""),
        "empty name" => edited("name = \"A payment\"", "name = \" \""),
        "deceiving name" => edited("name = \"A payment\"", "name = \"A \\u202Epayment\""),
        "destination" => edited("\"anyone\"", "\"anyon\""),
    };
    insta::assert_snapshot!(shown);
}

#[test]
fn values_without_their_unit_are_refused() {
    let shown = cases! {
        "amount as a number" => edited("per_payment = \"1 BTC\"", "per_payment = 1"),
        "amount as a float" => edited("per_payment = \"1 BTC\"", "per_payment = 0.5"),
        "amount without a unit" => edited("per_payment = \"1 BTC\"", "per_payment = \"1\""),
        "amount below a satoshi" => edited("per_payment = \"1 BTC\"", "per_payment = \"0.000000001 BTC\""),
        "more than there is" => edited("per_payment = \"1 BTC\"", "per_payment = \"21000001 BTC\""),
        "duration as a number" => edited("window = \"24 hours\"", "window = 24"),
        "duration with a bad unit" => edited("window = \"24 hours\"", "window = \"24 fortnights\""),
        "duration of nothing" => edited("valid_for = \"8 days\"", "valid_for = \"0 days\""),
        "percent with a fraction" => edited("percent = 3", "percent = 3.5"),
        "negative count" => edited("count = 20", "count = -1"),
        "date as text" => after("version = 1", "valid_until = \"2027-06-30\""),
        "date that does not exist" => after("version = 1", "valid_until = 2027-06-31"),
        "time without offset" => after("version = 1", "valid_until = 2027-06-30T12:00:00"),
    };
    insta::assert_snapshot!(shown);
}

#[test]
fn keys_descriptors_and_addresses_are_proven() {
    let shown = cases! {
        "another key type" => edited("\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "\"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAI"),
        "cut key" => edited("AAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAC3NzaC1lZDI1NTE5AAAA"),
        "checksum" => edited("#lxek0ef2", "#lxek0efq"),
        "network" => edited("network = \"regtest\"\n", ""),
        "misspelt network" => edited("network = \"regtest\"", "network = \"regtst\""),
        "address of another network" => edited("\"anyone\"", "\"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu\""),
        "empty vaults" => after("[wallet.savings]", "vaults = []"),
        "vault key" => after("[wallet.savings]", "vaults = [\"abc\"]"),
    };
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_missing_or_empty_is_named() {
    let shown = cases! {
        "schema" => edited("schema = \"airlock-policy/1\"\n", ""),
        "another schema" => edited("airlock-policy/1", "airlock-policy/2"),
        "version 0" => edited("version = 1", "version = 0"),
        "no previous" => edited("version = 1", "version = 2"),
        "previous of the first" => after("version = 1", "previous = \"sha256:00\""),
        "nobody" => edited("requesters = \"desk\"", "requesters = []"),
        "nowhere" => edited("to = [\"anyone\", \"self\"]", "to = []"),
        "limit of nothing" => edited("per_payment = \"1 BTC\"", ""),
        "window of nothing" => edited(", amount = \"2 BTC\", count = 20", ""),
        "fee of nothing" => edited("amount = \"0.002 BTC\", percent = 3, sat_per_vbyte = 200", ""),
        "wrong type" => edited("to = [\"anyone\", \"self\"]", "to = 3"),
        "table where an array is due" => edited("[[allow]]", "[allow]"),
        "no TOML" => edited("version = 1", "version = = 1"),
        "everything at once" => edited("version = 1", "version = 0\ncolour = \"red\"\nvalid_until = 1"),
    };
    insta::assert_snapshot!(shown);
}

#[test]
fn a_fee_basis_that_is_left_out_is_unlimited() {
    let text = COMPANY.replace("percent = 3, ", "");
    let file = parse("policy.toml", &text).unwrap();
    let fee = file.policy.terms().limits.iter().find_map(|limit| limit.fee).unwrap();
    assert_eq!((fee.amount.to_sat(), fee.percent, fee.sat_per_vb), (200_000, u64::MAX, 200));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_panics_or_points_outside(text in "[ -~\\n\\[\\]\"=ü]{0,200}") {
            if let Err(problems) = parse("p", &text) {
                prop_assert!(!problems.list().is_empty());
                let _ = problems.to_string();
            }
        }

        #[test]
        fn a_policy_cut_anywhere_is_refused_or_read_without_panic(at in 0..SMALLEST.len()) {
            prop_assume!(SMALLEST.is_char_boundary(at));
            if let Err(problems) = parse("p", &SMALLEST[..at]) {
                let _ = problems.to_string();
            }
        }
    }
}
