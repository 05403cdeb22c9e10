//! Wall times as calendars show them. No clock is read here.

/// A moment and the local zone's distance from UTC then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    pub unix_micros: i64,
    /// Seconds east of Greenwich.
    pub utc_offset: i32,
}

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

struct Calendar {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
}

impl WallTime {
    /// The same moment, shown as UTC has it.
    pub fn in_utc(self) -> WallTime {
        WallTime {
            utc_offset: 0,
            ..self
        }
    }

    /// `24/Nov/2026:02:45:06.134`, the accept date of the traffic lines.
    pub fn write_bracketed(self, out: &mut Vec<u8>) {
        let c = self.calendar();
        digits(out, c.day, 2);
        out.push(b'/');
        out.extend_from_slice(MONTHS[c.month as usize - 1]);
        out.push(b'/');
        digits(out, c.year as u32, 4);
        out.push(b':');
        c.write_clock(out);
        out.push(b'.');
        digits(out, c.micros / 1000, 3);
    }

    /// `24/Nov/2026:02:45:06 +0100`, as CLF has it.
    pub fn write_with_offset(self, out: &mut Vec<u8>) {
        let c = self.calendar();
        digits(out, c.day, 2);
        out.push(b'/');
        out.extend_from_slice(MONTHS[c.month as usize - 1]);
        out.push(b'/');
        digits(out, c.year as u32, 4);
        out.push(b':');
        c.write_clock(out);
        out.extend_from_slice(if self.utc_offset < 0 { b" -" } else { b" +" });
        let minutes = self.utc_offset.unsigned_abs() / 60;
        digits(out, minutes / 60, 2);
        digits(out, minutes % 60, 2);
    }

    /// `Nov 24 02:45:06` (RFC 3164 4.1.2: the day is padded with a blank).
    pub(crate) fn write_rfc3164(self, out: &mut Vec<u8>) {
        let c = self.calendar();
        out.extend_from_slice(MONTHS[c.month as usize - 1]);
        out.push(b' ');
        if c.day < 10 {
            out.push(b' ');
        }
        digits(out, c.day, if c.day < 10 { 1 } else { 2 });
        out.push(b' ');
        c.write_clock(out);
    }

    /// `2026-11-24T02:45:06.134520+00:00` (RFC 5424 6.2.3).
    pub(crate) fn write_iso(self, out: &mut Vec<u8>) {
        let c = self.calendar();
        digits(out, c.year as u32, 4);
        out.push(b'-');
        digits(out, c.month, 2);
        out.push(b'-');
        digits(out, c.day, 2);
        out.push(b'T');
        c.write_clock(out);
        out.push(b'.');
        digits(out, c.micros, 6);
        out.push(if self.utc_offset < 0 { b'-' } else { b'+' });
        let minutes = self.utc_offset.unsigned_abs() / 60;
        digits(out, minutes / 60, 2);
        out.push(b':');
        digits(out, minutes % 60, 2);
    }

    fn calendar(self) -> Calendar {
        let local = self.unix_micros + i64::from(self.utc_offset) * 1_000_000;
        let seconds = local.div_euclid(1_000_000);
        let of_day = seconds.rem_euclid(86_400) as u32;
        let (year, month, day) = date(seconds.div_euclid(86_400));
        Calendar {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            micros: local.rem_euclid(1_000_000) as u32,
        }
    }
}

impl Calendar {
    fn write_clock(&self, out: &mut Vec<u8>) {
        digits(out, self.hour, 2);
        out.push(b':');
        digits(out, self.minute, 2);
        out.push(b':');
        digits(out, self.second, 2);
    }
}

/// Year, month and day of a number of days since 1970. Years are taken to begin in March, so
/// that the leap day is their last; 400 of them have 146,097 days.
fn date(days: i64) -> (i64, u32, u32) {
    let since_march_0 = days + 719_468;
    let era = since_march_0.div_euclid(146_097);
    let day_of_era = since_march_0.rem_euclid(146_097);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

fn digits(out: &mut Vec<u8>, value: u32, width: usize) {
    let begin = out.len();
    out.resize(begin + width, b'0');
    let mut rest = value;
    for place in out[begin..].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(unix_micros: i64, utc_offset: i32) -> String {
        let mut out = Vec::new();
        WallTime {
            unix_micros,
            utc_offset,
        }
        .write_iso(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_of_note() {
        assert_eq!(iso(0, 0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(
            iso(951_782_400_000_001, 0),
            "2000-02-29T00:00:00.000001+00:00"
        );
        assert_eq!(
            iso(1_795_488_302_528_560, 0),
            "2026-11-24T02:45:02.528560+00:00"
        );
        assert_eq!(
            iso(4_107_542_400_000_000, 0),
            "2100-03-01T00:00:00.000000+00:00"
        );
    }

    #[test]
    fn zones_move_the_clock_and_are_said() {
        assert_eq!(iso(0, 5 * 3600 + 1800), "1970-01-01T05:30:00.000000+05:30");
        assert_eq!(
            iso(0, -(3 * 3600 + 1800)),
            "1969-12-31T20:30:00.000000-03:30"
        );
    }

    #[test]
    fn days_are_padded_as_each_format_wants() {
        let fourth = WallTime {
            unix_micros: 1_793_760_302_007_000,
            utc_offset: 0,
        };
        let mut out = Vec::new();
        fourth.write_rfc3164(&mut out);
        out.push(b'|');
        fourth.write_bracketed(&mut out);
        assert_eq!(out, b"Nov  4 02:45:02|04/Nov/2026:02:45:02.007");
    }
}
