//! What stands before a message, by `format`:
//!
//! | format | header |
//! |---|---|
//! | rfc3164 | `<PRI>Mon DD hh:mm:ss host tag[pid]: ` (`localhost` where no host is to be said) |
//! | local | the same without the host |
//! | rfc5424 | `<PRI>1 time host tag pid - data ` (`-` where no host or no data is to be said) |
//! | priority | `<PRI>` |
//! | short | `<LEVEL>` |
//! | timed | `<LEVEL>time ` |
//! | iso | `time ` |
//! | raw | nothing |

use telamon_plan::{Facility, Level, LogHeader, LogTarget};

use crate::{write_number, WallTime};

/// Who speaks. `hostname` is set by `log-send-hostname`; `structured` is the structured data of
/// RFC 5424 6.3, brackets included, or empty.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub hostname: Option<&'a str>,
    pub tag: &'a str,
    pub pid: u32,
    pub structured: &'a [u8],
}

/// The level to say to this target; None if the target does not want what is so little urgent.
pub fn effective_level(target: &LogTarget, level: Level) -> Option<Level> {
    (level <= target.max_level).then(|| level.max(target.min_level))
}

/// Replace `out` by the message as it goes to `target`: header, text, cut at the target's
/// length, and a line end that does not count.
pub fn write_message(
    out: &mut Vec<u8>,
    target: &LogTarget,
    level: Level,
    identity: &Identity<'_>,
    when: WallTime,
    text: &[u8],
) {
    out.clear();
    write_header(out, target.header, target.facility, level, identity, when);
    out.extend_from_slice(text);
    out.truncate(target.length);
    out.push(b'\n');
}

fn write_header(
    out: &mut Vec<u8>,
    header: LogHeader,
    facility: Facility,
    level: Level,
    identity: &Identity<'_>,
    when: WallTime,
) {
    let priority = u32::from(facility as u8) * 8 + u32::from(level as u8);
    match header {
        LogHeader::Rfc3164 | LogHeader::Local => {
            write_bracketed(out, priority);
            when.write_rfc3164(out);
            out.push(b' ');
            if header == LogHeader::Rfc3164 {
                out.extend_from_slice(identity.hostname.unwrap_or("localhost").as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(identity.tag.as_bytes());
            out.push(b'[');
            write_number(out, identity.pid);
            out.extend_from_slice(b"]: ");
        }
        LogHeader::Rfc5424 => {
            write_bracketed(out, priority);
            out.extend_from_slice(b"1 ");
            when.write_iso(out);
            out.push(b' ');
            out.extend_from_slice(identity.hostname.unwrap_or("-").as_bytes());
            out.push(b' ');
            out.extend_from_slice(identity.tag.as_bytes());
            out.push(b' ');
            write_number(out, identity.pid);
            out.extend_from_slice(b" - ");
            out.extend_from_slice(match identity.structured {
                [] => b"-",
                data => data,
            });
            out.push(b' ');
        }
        LogHeader::Priority => write_bracketed(out, priority),
        LogHeader::Short => write_bracketed(out, u32::from(level as u8)),
        LogHeader::Timed => {
            write_bracketed(out, u32::from(level as u8));
            when.write_iso(out);
            out.push(b' ');
        }
        LogHeader::Iso => {
            when.write_iso(out);
            out.push(b' ');
        }
        LogHeader::Raw => {}
    }
}

fn write_bracketed(out: &mut Vec<u8>, number: u32) {
    out.push(b'<');
    write_number(out, number);
    out.push(b'>');
}
