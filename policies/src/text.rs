//! How amounts, durations and times read, in every message of every program. No floating point anywhere.

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

/// A unix time as `2027-06-30 23:59:59 UTC`, without leap seconds (as POSIX counts).
pub fn utc_text(unix: u64) -> String {
    let part =
        |unit: u64, of: u64| unix.checked_div(unit).and_then(|whole| whole.checked_rem(of)).unwrap_or(0);
    let (year, month, day) = civil_date(part(86_400, u64::MAX));
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", part(3_600, 24), part(60, 60), part(1, 60))
}

/// The day that begins so many days after 1970-01-01, as year, month and day of the Gregorian calendar (Howard
/// Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
#[allow(
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    reason = "every subtraction is of a part from its whole, every division by a constant"
)]
pub fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year_of_era + era * 400 + next, month, day)
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
    fn times_read_as_dates() {
        assert_eq!(utc_text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc_text(951_782_461), "2000-02-29 00:01:01 UTC");
        assert_eq!(utc_text(1_814_399_999), "2027-06-30 23:59:59 UTC");
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
