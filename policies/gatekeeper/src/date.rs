//! Calendar dates and unix time, in UTC, without leap seconds (as POSIX counts).

/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// `2027-06-30 23:59:59 UTC`.
pub fn date_text(unix: u64) -> String {
    let of_day = unix % DAY;
    let (year, month, day) = civil(unix / DAY);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Unix time at which a day begins; `None` before 1970 or for a day that does not exist.
pub fn day_start(year: u16, month: u8, day: u8) -> Option<u64> {
    let days = days_since_epoch(u64::from(year), u64::from(month), u64::from(day))?;
    let exists = civil(days) == (u64::from(year), u64::from(month), u64::from(day));
    if exists { days.checked_mul(DAY) } else { None }
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar (Howard Hinnant, `days_from_civil`).
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    // The year begins in March, so that the leap day is its last.
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let before_month = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leap_days = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    year.checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(before_month)?
        .checked_add(day.checked_sub(1)?)?
        .checked_sub(719_468)
}

/// The day that begins so many days after 1970-01-01 (Howard Hinnant, `civil_from_days`).
#[allow(clippy::arithmetic_side_effects, reason = "every subtraction is of a part from its whole")]
fn civil(days: u64) -> (u64, u64, u64) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_known_times() {
        assert_eq!(day_start(1970, 1, 1), Some(0));
        assert_eq!(day_start(2000, 2, 29), Some(951_782_400));
        assert_eq!(day_start(2027, 6, 30), Some(1_814_313_600));
        assert_eq!(date_text(1_814_313_600 + DAY - 1), "2027-06-30 23:59:59 UTC");
        assert_eq!(date_text(951_782_461), "2000-02-29 00:01:01 UTC");
    }

    #[test]
    fn a_day_that_does_not_exist_is_none() {
        for (year, month, day) in [(2027, 2, 29), (2027, 13, 1), (2027, 4, 31), (1969, 12, 31), (2027, 1, 0)]
        {
            assert_eq!(day_start(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives() {
        for days in 0..146_097u64 {
            let (year, month, day) = civil(days);
            assert_eq!(days_since_epoch(year, month, day), Some(days));
        }
    }
}
