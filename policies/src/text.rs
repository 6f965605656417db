//! How amounts and durations read, in every message of every program. No floating point anywhere.

use bitcoin::Amount;

/// `0.015 000 00 BTC (1 500 000 sat)`.
pub fn amount_text(amount: Amount) -> String {
    format!("{} ({})", btc_text(amount), sat_text(amount))
}

/// `0.015 000 00 BTC`: eight decimals in groups of three.
pub fn btc_text(amount: Amount) -> String {
    let digits = format!("{:09}", amount.to_sat());
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(8));
    let (first, rest) = fraction.split_at(3);
    let (second, third) = rest.split_at(3);
    format!("{}.{first} {second} {third} BTC", grouped(whole))
}

/// `1 500 000 sat`.
pub fn sat_text(amount: Amount) -> String {
    format!("{} sat", grouped(&amount.to_sat().to_string()))
}

/// `24 hours`, `7 days`, `90 seconds`: the largest unit that divides it; a single day is said in hours.
pub fn duration_text(seconds: u64) -> String {
    let units = [(86_400, "days", 2), (3_600, "hours", 1), (60, "minutes", 1)];
    let fitting = units.into_iter().find_map(|(unit, name, least)| {
        let count = seconds.checked_div(unit)?;
        let fits = count.checked_mul(unit) == Some(seconds) && count >= least;
        fits.then(|| {
            if count == 1 { format!("1 {}", name.trim_end_matches('s')) } else { format!("{count} {name}") }
        })
    });
    fitting.unwrap_or_else(|| format!("{seconds} seconds"))
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(at);
        if at > 0 && left.is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_the_style_says() {
        assert_eq!(amount_text(Amount::from_sat(1_500_000)), "0.015 000 00 BTC (1 500 000 sat)");
        assert_eq!(amount_text(Amount::ZERO), "0.000 000 00 BTC (0 sat)");
        assert_eq!(amount_text(Amount::MAX_MONEY), "21 000 000.000 000 00 BTC (2 100 000 000 000 000 sat)");
    }

    #[test]
    fn durations_read_in_their_largest_unit() {
        for (seconds, text) in [
            (86_400, "24 hours"),
            (604_800, "7 days"),
            (3_600, "1 hour"),
            (90, "90 seconds"),
            (120, "2 minutes"),
            (0, "0 seconds"),
        ] {
            assert_eq!(duration_text(seconds), text);
        }
    }
}
