//! ISO dates.

/// Days from 1970 on to an ISO date, with or without a time: `2020-09-18`, `2020-09-18 12:30`,
/// `2020-09-18T12:30:00.5Z`, `2020-09-18 12:30:00+02:00`, `2020-09-18 12:30:00 UTC`. `None` for anything else.
pub fn days(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i64::from(digits(bytes.get(..4)?)?);
    let (month, day) = (
        i64::from(digits(&bytes[5..7])?),
        i64::from(digits(&bytes[8..10])?),
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Hinnant's count of days, with years that begin in March.
    let (shifted, from_march) = (year - i64::from(month <= 2), (month + 9) % 12);
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let whole = (era * 146_097 + of_era - 719_468) as f64;
    match bytes.get(10) {
        None => Some(whole),
        Some(b' ' | b'T') => Some(whole + seconds(&bytes[11..])? / 86_400.0),
        Some(_) => None,
    }
}

/// The ISO date that so many days from 1970 on are, without the time of the day.
pub fn date(days: f64) -> String {
    let since = (days.floor() as i64).saturating_add(719_468);
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The ISO date that so many days from 1970 on are, with the time of the day where there is one, to the
/// microsecond: `2020-09-18`, `2020-09-18 12:30:00`, `2020-09-18 12:30:00.250000`.
pub fn moment(days: f64) -> String {
    const DAY: i64 = 86_400_000_000;
    // What 64 bits hold of microseconds ends a little behind.
    if days.is_nan() || days.abs() > 1e8 {
        return date(days);
    }
    // So many microseconds are told apart by a number of days, fewer the farther from 1970.
    let grain = match days.abs() {
        near if near < 4e4 => 1,
        near if near < 2.6e5 => 10,
        _ => 1_000_000,
    };
    let micros = (days * (DAY / grain) as f64).round() as i64 * grain;
    let (day, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let day = date(day as f64);
    if rest == 0 {
        return day;
    }
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let time = format!(
        "{day} {:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    match micros {
        0 => time,
        micros => format!("{time}.{micros:06}"),
    }
}

/// The seconds since midnight, in universal time where a zone is told.
fn seconds(text: &[u8]) -> Option<f64> {
    let text = text.strip_suffix(b" UTC").unwrap_or(text);
    let zone = text
        .iter()
        .position(|byte| matches!(byte, b'Z' | b'+' | b'-'))
        .unwrap_or(text.len());
    let (time, zone) = text.split_at(zone);
    if time.len() < 5 || time[2] != b':' {
        return None;
    }
    let (hour, minute) = (digits(&time[..2])?, digits(&time[3..5])?);
    let second = match time.get(5) {
        None => 0.0,
        Some(b':') => {
            let (whole, fraction) = (time.get(6..8)?, &time[8..]);
            let fraction = match fraction {
                [] => 0.0,
                [b'.', places @ ..] if !places.is_empty() && places.len() <= 9 => {
                    f64::from(digits(places)?) / 10f64.powi(places.len() as i32)
                }
                _ => return None,
            };
            f64::from(digits(whole)?) + fraction
        }
        Some(_) => return None,
    };
    if hour > 23 || minute > 59 || second >= 61.0 {
        return None;
    }
    let offset = match zone {
        [] | [b'Z'] => 0,
        [sign, zone @ ..] => {
            let (hours, minutes) = match zone {
                [_, _] => (digits(zone)?, 0),
                [_, _, b':', _, _] => (digits(&zone[..2])?, digits(&zone[3..])?),
                [_, _, _, _] => (digits(&zone[..2])?, digits(&zone[2..])?),
                _ => return None,
            };
            let minutes = i64::from(hours) * 60 + i64::from(minutes);
            if *sign == b'-' { -minutes } else { minutes }
        }
    };
    let minutes = i64::from(hour) * 60 + i64::from(minute) - offset;
    Some(minutes as f64 * 60.0 + second)
}

fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut number = 0u32;
    for byte in text {
        number = number
            .checked_mul(10)?
            .checked_add(u32::from(byte - b'0'))?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::{date, days, moment};

    #[test]
    fn dates_come_back() {
        for text in [
            "1970-01-01",
            "2020-02-29",
            "1999-12-31",
            "2000-03-01",
            "1600-01-01",
        ] {
            assert_eq!(days(text).map(date).as_deref(), Some(text));
        }
    }

    #[test]
    fn moments_come_back() {
        for text in [
            "1970-01-01",
            "2020-02-29 12:30:05",
            "1969-12-31 23:59:59.999999",
            "2262-04-11 23:47:16.854770",
            "1600-01-01 00:00:00.000010",
        ] {
            assert_eq!(days(text).map(moment).as_deref(), Some(text));
        }
        assert_eq!(moment(1e300), date(1e300));
    }

    #[test]
    fn iso_dates_are_days() {
        for (text, wanted) in [
            ("1970-01-01", Some(0.0)),
            ("1969-12-31", Some(-1.0)),
            ("2020-02-29", Some(18_321.0)),
            ("2019-02-29", None),
            ("2000-03-01", Some(11_017.0)),
            ("1970-01-02 06:00", Some(1.25)),
            ("1970-01-02T12:00:00.000Z", Some(1.5)),
            ("1970-01-01 02:00:00+02:00", Some(0.0)),
            ("1970-01-01 00:00:00-1200", Some(0.5)),
            ("1970-01-02 12:00:00 UTC", Some(1.5)),
            ("2020-13-01", None),
            ("2020-1-1", None),
            ("12-34-5678", None),
            ("2020-01-01x", None),
            ("2020-01-01 25:00", None),
            ("färbung-1-", None),
        ] {
            assert_eq!(days(text), wanted, "{text}");
        }
    }
}
