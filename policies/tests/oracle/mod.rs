//! A second opinion on the judgement, as naive as it can be made, and the companies that it is tried on.
//!
//! It follows the text of the policy design and shares no code with [`policies::judge`]: it reads plain data, tries every
//! assignment of people to places, and adds with integers that cannot overflow.

pub mod company;
pub mod dice;
pub mod opinion;
pub mod payments;
pub mod rules;

use company::Company;
use dice::Dice;
use opinion::{Opinion, opinion};
use policies::check::Code;
use policies::judge::{Verdict, judge};

/// What the judge says, in the oracle's words.
pub fn ruling(verdict: &Verdict) -> Opinion {
    match verdict {
        Verdict::Permitted(charge) => Opinion::Permitted(charge.clone()),
        Verdict::Needs(missing) => Opinion::Needs(missing.iter().map(|missing| missing.count).sum()),
        Verdict::Refused(findings) => Opinion::Refused(
            findings
                .iter()
                .map(|finding| match finding.code {
                    Code::Rule(rule) => rule.as_str(),
                    Code::Check(_) => "a check, which is not for the judge",
                })
                .collect(),
        ),
    }
}

/// Judges what the dice give twice: the judge's ruling, and what was expected.
pub fn both(dice: &mut Dice) -> (Opinion, Opinion) {
    let company = Company::roll(dice);
    let case = company.case();
    (ruling(&judge(&case)), opinion(&case))
}

/// The first of so many companies over which judge and oracle disagree.
pub fn first_disagreement(cases: u64) -> Option<(u64, Opinion, Opinion)> {
    (0..cases).find_map(|seed| {
        let (found, expected) = both(&mut Dice::seeded(seed));
        (found != expected).then_some((seed, found, expected))
    })
}
