//! Calendar dates and unix time, in UTC, without leap seconds (as POSIX counts).

use policies::text::civil_date;

/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// Unix time at which a day begins; `None` before 1970 or for a day that does not exist.
pub fn day_start(year: u16, month: u8, day: u8) -> Option<u64> {
    let days = days_since_epoch(u64::from(year), u64::from(month), u64::from(day))?;
    let exists = civil_date(days) == (u64::from(year), u64::from(month), u64::from(day));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_known_times() {
        assert_eq!(day_start(1970, 1, 1), Some(0));
        assert_eq!(day_start(2000, 2, 29), Some(951_782_400));
        assert_eq!(day_start(2027, 6, 30), Some(1_814_313_600));
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
            let (year, month, day) = civil_date(days);
            assert_eq!(days_since_epoch(year, month, day), Some(days));
        }
    }
}
