//! Amounts as people read and type them. No floating point anywhere.

use crate::Error;
use crate::display::escape;
use bitcoin::{Amount, Weight};
use serde_json::Value;
use std::fmt;

pub use policies::text::{amount_text, btc_text, sat_text};

/// Reads an amount that a person typed: digits with the unit `btc` or `sat`, in either case, with or without
/// spaces; `0.01btc`, `0.01 BTC`, `1 500 000 sat`.
///
/// # Errors
/// [`Error::Amount`] without a unit, with more precision than a satoshi, above 21 million BTC, or when it is no number.
pub fn parse_amount(typed: &str) -> Result<Amount, Error> {
    let wrong = |reason| Error::Amount { typed: escape(typed), reason };
    let text: String = typed.chars().filter(|c| *c != ' ').collect::<String>().to_ascii_lowercase();
    let (number, decimals) = match (text.strip_suffix("btc"), text.strip_suffix("sat")) {
        (Some(number), _) => (number, 8),
        (None, Some(number)) => (number, 0),
        (None, None) => return Err(wrong("the unit is missing")),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = number.contains('.');
    if whole.is_empty() || (has_point && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
        return Err(wrong("expected digits with at most one decimal point"));
    }
    if fraction.len() > decimals {
        return Err(wrong("a satoshi is the smallest unit, the eighth decimal of a bitcoin"));
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    let sat: u64 = digits.parse().map_err(|_| wrong("more than 21 million BTC"))?;
    let amount = Amount::from_sat(sat);
    if amount > Amount::MAX_MONEY {
        return Err(wrong("more than 21 million BTC"));
    }
    Ok(amount)
}

/// A feerate in thousandths of a satoshi per virtual byte, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feerate(u64);

impl Feerate {
    /// The feerate of a transaction; `None` for a weight of zero or a fee that no transaction can pay.
    pub fn of(fee: Amount, weight: Weight) -> Option<Self> {
        // A virtual byte is four weight units (BIP141), rounded up as Bitcoin Core does.
        let milli = fee.to_sat().checked_mul(1000)?.checked_div(weight.to_vbytes_ceil())?;
        Some(Self(milli))
    }

    /// Thousandths of a satoshi per virtual byte.
    pub fn to_milli_sat_per_vb(self) -> u64 {
        self.0
    }

    /// A JSON number with up to three decimals.
    pub fn to_json(self) -> Value {
        // The number's text is parsed, so that no arithmetic is done in floating point.
        serde_json::from_str(&self.to_string()).unwrap_or(Value::Null)
    }
}

impl fmt::Display for Feerate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:04}", self.0);
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(3));
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { f.write_str(whole) } else { write!(f, "{whole}.{fraction}") }
    }
}

/// Digits in groups of three from the right.
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn typed_amounts_need_a_unit() {
        let sat = |text| parse_amount(text).unwrap().to_sat();
        assert_eq!(sat("0.01btc"), 1_000_000);
        assert_eq!(sat("0.01 BTC"), 1_000_000);
        assert_eq!(sat("1500000sat"), 1_500_000);
        assert_eq!(sat("21000000btc"), 2_100_000_000_000_000);
        for bad in [
            "0.01",
            "1500000",
            "",
            "btc",
            "-1btc",
            "1e3sat",
            "1,5btc",
            "0.5sat",
            ".5btc",
            "1.btc",
            "1.2.3btc",
            "0.000000001btc",
            "21000000.00000001btc",
            "99999999999999999999999btc",
            "0x1sat",
            "+1sat",
            "١sat",
        ] {
            let error = parse_amount(bad).unwrap_err();
            assert_eq!((error.exit_code(), error.hint().is_some()), (2, true), "{bad}");
        }
    }

    #[test]
    fn feerates_are_made_of_integers() {
        let of = |fee, wu| Feerate::of(Amount::from_sat(fee), Weight::from_wu(wu)).unwrap();
        assert_eq!(of(10_000, 564).to_json().to_string(), "70.921");
        assert_eq!(of(282, 564).to_json().to_string(), "2");
        assert_eq!(of(1, 4_000).to_string(), "0.001");
        assert_eq!(of(1_001, 561).to_string(), "7.099");
        assert_eq!(Feerate::of(Amount::MAX, Weight::from_wu(4)), None);
        assert_eq!(Feerate::of(Amount::ZERO, Weight::ZERO), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_typed(sat in 0u64..=2_100_000_000_000_000) {
            let amount = Amount::from_sat(sat);
            prop_assert_eq!(parse_amount(&btc_text(amount)).unwrap(), amount);
            prop_assert_eq!(parse_amount(&sat_text(amount)).unwrap(), amount);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse_amount(&text);
        }
    }
}
