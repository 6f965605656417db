//! The numbered checks and what they find. `docs/checks.md` will list every number with its attack and fixture.

use std::fmt;
use std::str::FromStr;

/// A check by its number, C01 to C34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Check(u8);

impl Check {
    /// Amount of an input is proven by its previous transaction.
    pub const PREVIOUS_TRANSACTION: Check = Check(1);
    /// Witness UTXO agrees with the previous transaction.
    pub const WITNESS_UTXO: Check = Check(2);
    /// A legacy input needs its previous transaction.
    pub const LEGACY_WITNESS_UTXO: Check = Check(3);
    /// The previous output's index exists.
    pub const OUTPUT_INDEX: Check = Check(4);
    /// The outpoint was signed before in another transaction.
    pub const SIGNED_BEFORE: Check = Check(5);
    /// Claimed change is ours.
    pub const CHANGE: Check = Check(6);
    /// Every cosigner of claimed change is the registered one.
    pub const COSIGNERS: Check = Check(7);
    /// Own output's index is within reach of the gap.
    pub const GAP: Check = Check(8);
    /// The wallet's keys are distinct, and its own key stands in it.
    pub const REGISTRATION: Check = Check(9);
    /// Inputs belong to one wallet.
    pub const ONE_WALLET: Check = Check(10);
    /// No foreign input.
    pub const FOREIGN_INPUT: Check = Check(11);
    /// Only inputs proven ours are signed.
    pub const SIGNED_INPUTS: Check = Check(12);
    /// Sighash type is ALL or DEFAULT.
    pub const SIGHASH: Check = Check(13);
    /// Signatures already present are genuine.
    pub const PRESENT_SIGNATURES: Check = Check(14);
    /// No input twice.
    pub const DUPLICATE_INPUT: Check = Check(15);
    /// The fee on three bases.
    pub const FEE: Check = Check(16);
    /// Sums and their order of magnitude.
    pub const SUMS: Check = Check(17);
    /// Zero-value and dust outputs.
    pub const DUST: Check = Check(18);
    /// OP_RETURN and unknown scripts.
    pub const UNUSUAL_OUTPUT: Check = Check(19);
    /// Locktime, relative locks, replaceability.
    pub const LOCKTIME: Check = Check(20);
    /// Strict BIP174.
    pub const STRICT_PSBT: Check = Check(21);
    /// Unknown and proprietary fields.
    pub const UNKNOWN_FIELDS: Check = Check(22);
    /// Keys are matched by derivation, never by fingerprint.
    pub const FINGERPRINTS: Check = Check(23);
    /// What was reviewed is what is signed.
    pub const SAME_BYTES: Check = Check(24);
    /// Every output is shown.
    pub const ALL_SHOWN: Check = Check(25);
    /// Foreign text is shown escaped.
    pub const ESCAPED: Check = Check(26);
    /// Sizes and counts.
    pub const BOUNDS: Check = Check(27);
    /// A released signature verifies.
    pub const SIGNATURE: Check = Check(28);
    /// Taproot fields agree with the descriptor.
    pub const TAPROOT: Check = Check(29);
    /// The key's own network.
    pub const NETWORK: Check = Check(30);
    /// Uneconomic or non-standard result.
    pub const STANDARDNESS: Check = Check(31);
    /// A message can be no transaction.
    pub const MESSAGE: Check = Check(32);
    /// The signed transaction is the one requested.
    pub const AS_REQUESTED: Check = Check(33);
    /// Request, approval and permit are valid here and now.
    pub const AUTHORISATION: Check = Check(34);

    /// The check of this number, 1 to 34.
    pub const fn from_number(number: u8) -> Option<Check> {
        if number >= 1 && number <= 34 { Some(Check(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C{:02}", self.0)
    }
}

impl FromStr for Check {
    type Err = UnknownCheck;

    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        text.strip_prefix(['C', 'c'])
            .filter(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .and_then(Check::from_number)
            .ok_or_else(|| UnknownCheck(text.escape_default().to_string()))
    }
}

/// A name that is no check's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no check: expected C01 to C34")]
pub struct UnknownCheck(pub String);

/// A rule of a policy that refused, by its kebab-case code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// No `allow` covers the payment.
    NotAllowed,
    /// A `limit` per payment is exceeded.
    LimitPerPayment,
    /// A `limit` per window is exceeded.
    LimitPerWindow,
    /// A `limit` on fees is exceeded.
    LimitFee,
    /// The policy names no such wallet, or another descriptor for it.
    UnknownWallet,
    /// The policy is past its `valid_until`.
    PolicyExpired,
    /// A `require` wants approvals that are not there.
    ApprovalsMissing,
    /// The payment would take the place of an earlier one in a way that nothing allows.
    NotReplaceable,
}

impl Rule {
    /// Every rule, for codecs and tests.
    pub const ALL: [Rule; 8] = [
        Rule::NotAllowed,
        Rule::LimitPerPayment,
        Rule::LimitPerWindow,
        Rule::LimitFee,
        Rule::UnknownWallet,
        Rule::PolicyExpired,
        Rule::ApprovalsMissing,
        Rule::NotReplaceable,
    ];

    /// Its code in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::NotAllowed => "not-allowed",
            Rule::LimitPerPayment => "limit-per-payment",
            Rule::LimitPerWindow => "limit-per-window",
            Rule::LimitFee => "limit-fee",
            Rule::UnknownWallet => "unknown-wallet",
            Rule::PolicyExpired => "policy-expired",
            Rule::ApprovalsMissing => "approvals-missing",
            Rule::NotReplaceable => "not-replaceable",
        }
    }
}

/// What a finding is about: a check or a rule of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A numbered check.
    Check(Check),
    /// A rule of the policy.
    Rule(Rule),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Check(check) => check.fmt(f),
            Code::Rule(rule) => f.write_str(rule.as_str()),
        }
    }
}

impl FromStr for Code {
    type Err = UnknownCheck;

    fn from_str(text: &str) -> Result<Self, UnknownCheck> {
        Rule::ALL
            .into_iter()
            .find(|rule| rule.as_str() == text)
            .map(Code::Rule)
            .map_or_else(|| text.parse().map(Code::Check), Ok)
    }
}

impl From<Check> for Code {
    fn from(check: Check) -> Self {
        Code::Check(check)
    }
}

impl From<Rule> for Code {
    fn from(rule: Rule) -> Self {
        Code::Rule(rule)
    }
}

/// What a check came to. Ordered by gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A prerequisite failed, or there was nothing to check.
    NotApplicable,
    /// Nothing wrong.
    Pass,
    /// The operator must accept it by its number, or a policy must allow it.
    Ask,
    /// Nothing is signed.
    Refuse,
}

impl Outcome {
    /// Its word in JSON: `n/a`, `pass`, `ask`, `refuse`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::NotApplicable => "n/a",
            Outcome::Pass => "pass",
            Outcome::Ask => "ask",
            Outcome::Refuse => "refuse",
        }
    }

    /// The outcome with this word.
    pub fn from_word(word: &str) -> Option<Outcome> {
        [Outcome::NotApplicable, Outcome::Pass, Outcome::Ask, Outcome::Refuse]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }
}

/// One check's outcome: what was found, what was expected, what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check or rule.
    pub code: Code,
    /// What it came to.
    pub outcome: Outcome,
    /// What was found and what was expected.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Finding {
    /// Nothing wrong.
    pub fn pass(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self::new(code, Outcome::Pass, message)
    }

    /// There was nothing to check.
    pub fn not_applicable(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self::new(code, Outcome::NotApplicable, message)
    }

    /// Must be accepted by number.
    pub fn ask(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self::new(code, Outcome::Ask, message)
    }

    /// Nothing is signed.
    pub fn refuse(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self::new(code, Outcome::Refuse, message)
    }

    /// The same with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn new(code: impl Into<Code>, outcome: Outcome, message: impl Into<String>) -> Self {
        Self { code: code.into(), outcome, message: message.into(), hint: None }
    }
}

/// The gravest outcome among findings; `Pass` when there are none.
pub fn verdict(findings: &[Finding]) -> Outcome {
    findings.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::Pass).max(Outcome::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_their_text() {
        for rule in Rule::ALL {
            assert_eq!(rule.as_str().parse(), Ok(Code::Rule(rule)));
        }
        assert_eq!("C06".parse(), Ok(Code::Check(Check::CHANGE)));
        for bad in ["C00", "C35", "C6", "C006", "6", "", "C+6"] {
            assert!(bad.parse::<Code>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_gravest_outcome_decides() {
        let ask = Finding::ask(Check::FEE, "");
        let refuse = Finding::refuse(Check::CHANGE, "");
        let none = Finding::not_applicable(Check::CHANGE, "");
        assert_eq!(verdict(&[]), Outcome::Pass);
        assert_eq!(verdict(std::slice::from_ref(&none)), Outcome::Pass);
        assert_eq!(verdict(&[ask.clone(), none.clone()]), Outcome::Ask);
        assert_eq!(verdict(&[ask, refuse, none]), Outcome::Refuse);
    }
}
