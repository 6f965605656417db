//! Amounts, durations and dates of the policy file, each with its unit.

use super::problem::Problems;
use super::section::{Value, text};
use crate::date::{DAY, day_start};
use bitcoin::Amount;
use psbt_tools::money::parse_amount;
use toml::de::DeValue;

/// `"1 BTC"`, `"150000 sat"`.
pub fn amount(what: &str, value: Value<'_>, problems: &mut Problems) -> Option<Amount> {
    if is_bare_number(value) {
        problems.add(
            value.span(),
            format!("`{what}` is a bare number where an amount is due"),
            "write the unit: \"1 BTC\" or \"150000 sat\"",
        );
        return None;
    }
    let typed = text(what, value, problems)?;
    match parse_amount(typed) {
        Ok(amount) => Some(amount),
        Err(error) => {
            problems.add(value.span(), error.to_string(), "write \"1 BTC\" or \"150000 sat\"");
            None
        }
    }
}

/// `"24 hours"`, `"8 days"`; in seconds, at least one.
pub fn duration(what: &str, value: Value<'_>, problems: &mut Problems) -> Option<u64> {
    const HINT: &str = "write a whole number and its unit: \"24 hours\", \"8 days\"; units are seconds, minutes, \
                        hours, days and weeks";
    if is_bare_number(value) {
        problems.add(value.span(), format!("`{what}` is a bare number where a duration is due"), HINT);
        return None;
    }
    let typed = text(what, value, problems)?;
    let seconds = parse_duration(typed);
    if seconds.is_none() {
        problems.add(value.span(), format!("`{}` is no duration", typed.escape_debug()), HINT);
    }
    seconds
}

/// A date, which is good until its last second in UTC, or a date with time and offset; in unix seconds.
pub fn until(what: &str, value: Value<'_>, problems: &mut Problems) -> Option<u64> {
    let moment = match value.get_ref() {
        DeValue::Datetime(datetime) => unix_time(datetime),
        _ => None,
    };
    if moment.is_none() {
        problems.add(
            value.span(),
            format!("`{what}` is not a date"),
            format!("write {what} = 2027-06-30 (to its end, UTC) or {what} = 2027-06-30T12:00:00Z"),
        );
    }
    moment
}

fn is_bare_number(value: Value<'_>) -> bool {
    matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_))
}

fn parse_duration(typed: &str) -> Option<u64> {
    let (number, unit) = typed.trim().split_once(' ')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match unit.trim() {
        "second" | "seconds" => 1,
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => DAY,
        "week" | "weeks" => DAY.checked_mul(7)?,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds > 0)
}

fn unix_time(datetime: &toml::value::Datetime) -> Option<u64> {
    let date = datetime.date?;
    let start = day_start(date.year, date.month, date.day)?;
    let Some(time) = datetime.time else {
        return start.checked_add(DAY)?.checked_sub(1);
    };
    // A time without an offset is another moment in every office.
    let minutes = match datetime.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => minutes,
    };
    let of_day = u64::from(time.hour)
        .checked_mul(3_600)?
        .checked_add(u64::from(time.minute).checked_mul(60)?)?
        .checked_add(u64::from(time.second.unwrap_or(0)))?;
    start.checked_add(of_day)?.checked_add_signed(i64::from(minutes).checked_mul(-60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        assert_eq!(parse_duration("24 hours"), Some(86_400));
        assert_eq!(parse_duration("1 week"), Some(604_800));
        for bad in
            ["24", "24h", "1.5 hours", "-1 days", "0 days", " hours", "99999999999999999 weeks", "+1 day"]
        {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_date_is_good_until_its_end_and_a_time_needs_an_offset() {
        let time = |text: &str| unix_time(&text.parse().unwrap());
        assert_eq!(time("2027-06-30"), Some(1_814_399_999));
        assert_eq!(time("2027-06-30T12:00:00Z"), Some(1_814_356_800));
        assert_eq!(time("2027-06-30T12:00:00+02:00"), Some(1_814_349_600));
        assert_eq!(time("2027-06-30T12:00:00"), None);
        assert_eq!(time("12:00:00"), None);
    }
}
