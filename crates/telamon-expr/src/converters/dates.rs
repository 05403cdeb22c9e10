//! Dates: for HTTP headers (RFC 9110, 5.6.7), and by strftime(3) in the C locale.

use super::{boxed, by, Made, Row};
use crate::args::Args;
use crate::sample::Sample;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const ROWS: &[Row] = &[
    by("http_date", |args, _| http_date(args)),
    by("ltime", |args, _| formatted(args, 1, true)),
    by("ms_ltime", |args, _| formatted(args, 1000, true)),
    by("ms_utime", |args, _| formatted(args, 1000, false)),
    by("us_ltime", |args, _| formatted(args, 1_000_000, true)),
    by("us_utime", |args, _| formatted(args, 1_000_000, false)),
    by("utime", |args, _| formatted(args, 1, false)),
];

/// `http_date([offset[,unit]])`: with a finer unit than seconds there is a fraction.
fn http_date(args: Args<'_>) -> Made {
    let offset = args.number(0)?.unwrap_or(0);
    let per_second = match args.text(1).as_deref() {
        None | Some(b"s") => 1,
        Some(b"ms") => 1000,
        Some(b"us") => 1_000_000,
        Some(_) => return Err("the unit is s, ms or us".to_owned()),
    };
    boxed(move |_, sample| {
        let date = Date::new(sample.as_int()?.checked_add(offset)?, per_second, 0, "GMT");
        let date = date.format("%a, %d %b %Y %H:%M:%S") + &date.fraction() + " GMT";
        Some(Sample::owned(date.into_bytes()))
    })
}

/// `(format[,offset])`: local time or UTC; the sample counts so many a second.
fn formatted(args: Args<'_>, per_second: i64, local: bool) -> Made {
    let format = args.string(0).ok_or("a format is missing")?;
    let offset = args.number(1)?.unwrap_or(0);
    boxed(move |env, sample| {
        let time = sample.as_int()?.checked_add(offset)?;
        let (ahead, zone) = match local {
            true => env.facts.zone(time.div_euclid(per_second)),
            false => (0, "GMT".to_owned()),
        };
        let date = Date::new(time, per_second, ahead, &zone);
        Some(Sample::owned(date.format(&format).into_bytes()))
    })
}

/// A moment, taken apart.
struct Date<'z> {
    unix: i64,
    rest: i64,
    per_second: i64,
    ahead: i32,
    zone: &'z str,
    year: i64,
    /// From 0.
    month: usize,
    day: i64,
    week_day: i64,
    year_day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Date<'_> {
    fn new(time: i64, per_second: i64, ahead: i32, zone: &str) -> Date<'_> {
        let unix = time.div_euclid(per_second);
        let shown = unix.saturating_add(i64::from(ahead));
        let days = shown.div_euclid(86400);
        let clock = shown.rem_euclid(86400);
        let (year, month, day) = civil(days);
        Date {
            unix,
            rest: time.rem_euclid(per_second),
            per_second,
            ahead,
            zone,
            year,
            month,
            day,
            week_day: (days + 4).rem_euclid(7),
            year_day: days - days_before(year),
            hour: clock / 3600,
            minute: clock / 60 % 60,
            second: clock % 60,
        }
    }

    /// `.123`, or nothing where whole seconds are counted.
    fn fraction(&self) -> String {
        match self.per_second {
            1 => String::new(),
            1000 => format!(".{:03}", self.rest),
            _ => format!(".{:06}", self.rest),
        }
    }

    fn format(&self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let spec = &rest[at + 1..];
            // `_`, `-`, `0` and `^` change how a value is written; E and O change nothing here.
            let flags = spec
                .chars()
                .take_while(|char| "_-0^".contains(*char))
                .count();
            let letter = spec[flags..].trim_start_matches(['E', 'O']).chars().next();
            let Some(letter) = letter else {
                out.push_str(&rest[at..]);
                return out;
            };
            let length = spec.find(letter).unwrap_or(0) + letter.len_utf8();
            match self.item(letter) {
                Some(item) => out.push_str(&flagged(item, &spec[..flags])),
                None => out.push_str(&rest[at..at + 1 + length]),
            }
            rest = &spec[length..];
        }
        out + rest
    }

    fn item(&self, letter: char) -> Option<Item> {
        let text = |text: &str| Item::Text(text.to_owned());
        let nested = |format: &str| Item::Text(self.format(format));
        let number = |value, width| Item::Number(value, width, '0');
        let blank = |value, width| Item::Number(value, width, ' ');
        let half = if self.hour % 12 == 0 {
            12
        } else {
            self.hour % 12
        };
        Some(match letter {
            'a' => text(&DAYS[self.week_day as usize][..3]),
            'A' => text(DAYS[self.week_day as usize]),
            'b' | 'h' => text(&MONTHS[self.month][..3]),
            'B' => text(MONTHS[self.month]),
            'c' => nested("%a %b %e %H:%M:%S %Y"),
            'C' => number(self.year.div_euclid(100), 2),
            'd' => number(self.day, 2),
            'D' | 'x' => nested("%m/%d/%y"),
            'e' => blank(self.day, 2),
            'F' => nested("%Y-%m-%d"),
            'g' => number(self.iso_week().0.rem_euclid(100), 2),
            'G' => number(self.iso_week().0, 1),
            'H' => number(self.hour, 2),
            'I' => number(half, 2),
            'j' => number(self.year_day + 1, 3),
            'k' => blank(self.hour, 2),
            'l' => blank(half, 2),
            'm' => number(self.month as i64 + 1, 2),
            'M' => number(self.minute, 2),
            'n' => text("\n"),
            // Of 2.9: thousandths or millionths of the second.
            'N' if self.per_second > 1 => text(&self.fraction()[1..]),
            'p' => text(if self.hour < 12 { "AM" } else { "PM" }),
            'P' => text(if self.hour < 12 { "am" } else { "pm" }),
            'r' => nested("%I:%M:%S %p"),
            'R' => nested("%H:%M"),
            's' => number(self.unix, 1),
            'S' => number(self.second, 2),
            't' => text("\t"),
            'T' | 'X' => nested("%H:%M:%S"),
            'u' => number((self.week_day + 6) % 7 + 1, 1),
            'U' => number((self.year_day + 7 - self.week_day) / 7, 2),
            'V' => number(self.iso_week().1, 2),
            'w' => number(self.week_day, 1),
            'W' => number((self.year_day + 7 - (self.week_day + 6) % 7) / 7, 2),
            'y' => number(self.year.rem_euclid(100), 2),
            'Y' => number(self.year, 1),
            'z' => {
                let minutes = self.ahead / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.abs();
                Item::Text(format!("{sign}{:02}{:02}", minutes / 60, minutes % 60))
            }
            'Z' => text(self.zone),
            '%' => text("%"),
            _ => return None,
        })
    }

    /// Year and number of the ISO 8601 week, which belongs to the year of its Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.year_day - (self.week_day + 6) % 7 + 3;
        let length = |year| days_before(year + 1) - days_before(year);
        match thursday {
            before if before < 0 => {
                let year = self.year - 1;
                (year, (before + length(year)) / 7 + 1)
            }
            after if after >= length(self.year) => (self.year + 1, 1),
            within => (self.year, within / 7 + 1),
        }
    }
}

enum Item {
    Text(String),
    /// Value, width, and what fills it up.
    Number(i64, usize, char),
}

fn flagged(item: Item, flags: &str) -> String {
    let text = match item {
        Item::Text(text) => text,
        Item::Number(value, mut width, mut pad) => {
            for flag in flags.chars() {
                match flag {
                    '_' => pad = ' ',
                    '0' => pad = '0',
                    '-' => width = 0,
                    _ => {}
                }
            }
            match pad {
                '0' => format!("{value:0width$}"),
                _ => format!("{value:width$}"),
            }
        }
    };
    if flags.contains('^') {
        text.to_ascii_uppercase()
    } else {
        text
    }
}

/// Days from 1970 to a year's first of January.
fn days_before(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)
        - 477
}

/// Year, month (from 0) and day of a day counted from 1970.
fn civil(days: i64) -> (i64, usize, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while days_before(year + 1) <= days {
        year += 1 + (days - days_before(year + 1)) / 366;
    }
    let leap = days_before(year + 1) - days_before(year) == 366;
    let lengths = [
        31,
        if leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let (mut month, mut day) = (0, days - days_before(year));
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(time: i64, format: &str) -> String {
        Date::new(time, 1, 0, "GMT").format(format)
    }

    #[test]
    fn moments_taken_apart() {
        let all = "%Y-%m-%d %H:%M:%S %a %j %U %W %G-W%V-%u %y %C %e %I %p";
        for (time, expected) in [
            (
                0,
                "1970-01-01 00:00:00 Thu 001 00 00 1970-W01-4 70 19  1 12 AM",
            ),
            (
                1_700_000_000,
                "2023-11-14 22:13:20 Tue 318 46 46 2023-W46-2 23 20 14 10 PM",
            ),
            (
                951_782_399,
                "2000-02-28 23:59:59 Mon 059 09 09 2000-W09-1 00 20 28 11 PM",
            ),
            (
                951_868_799,
                "2000-02-29 23:59:59 Tue 060 09 09 2000-W09-2 00 20 29 11 PM",
            ),
            (
                1_104_537_600,
                "2005-01-01 00:00:00 Sat 001 00 00 2004-W53-6 05 20  1 12 AM",
            ),
            (
                -1,
                "1969-12-31 23:59:59 Wed 365 52 52 1970-W01-3 69 19 31 11 PM",
            ),
            (
                4_107_542_400,
                "2100-03-01 00:00:00 Mon 060 09 09 2100-W09-1 00 21  1 12 AM",
            ),
        ] {
            assert_eq!(written(time, all), expected);
        }
    }

    #[test]
    fn flags_and_strangers() {
        assert_eq!(
            written(0, "%-d %_d %_H %^a %Ey %Od %q %"),
            "1  1  0 THU 70 01 %q %"
        );
        assert_eq!(written(0, "a%%b%n%t%z%Z"), "a%b\n\t+0000GMT");
        let date = Date::new(1_700_000_000_123, 1000, 3600, "CET");
        assert_eq!(date.format("%H.%N %z"), "23.123 +0100");
    }
}
