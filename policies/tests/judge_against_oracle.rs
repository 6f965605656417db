//! The judge against a naive oracle that shares no code with it.

#[allow(dead_code, reason = "each test uses its part")]
mod oracle;

use oracle::both;
use oracle::dice::{Dice, TAPE};
use oracle::opinion::Opinion;
use policies::check::Rule;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Cases of a normal run; `PROPTEST_CASES` sets another number.
const CASES: u32 = 12_000;

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_judge_rules_as_the_oracle_does(tape in proptest::collection::vec(any::<u32>(), TAPE)) {
        let (found, expected) = both(&mut Dice::of(tape));
        prop_assert_eq!(found, expected);
    }
}

/// Companies on which every verdict and every code is seen often: agreement about nothing would prove nothing.
#[test]
fn every_verdict_and_every_code_is_seen_often() {
    const OFTEN: u32 = 60;
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..3_000 {
        let (found, expected) = both(&mut Dice::seeded(seed));
        assert_eq!(found, expected, "seed {seed}");
        let codes = match found {
            Opinion::Permitted(_) => vec!["permitted"],
            Opinion::Needs(1) => vec!["needs one"],
            Opinion::Needs(_) => vec!["needs more"],
            Opinion::Refused(codes) => codes.into_iter().collect(),
        };
        for code in codes {
            *seen.entry(code).or_default() += 1;
        }
    }
    eprintln!("3000 companies: {seen:?}");
    let rules = Rule::ALL.into_iter().filter(|rule| *rule != Rule::ApprovalsMissing).map(Rule::as_str);
    for code in rules.chain(["permitted", "needs one", "needs more"]) {
        assert!(seen.get(code).is_some_and(|count| *count >= OFTEN), "`{code}` is rare: {seen:?}");
    }
}
