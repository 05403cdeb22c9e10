//! Limits of this process.

use std::cell::Cell;
use std::io;

use crate::check;

/// How many descriptors this process may open now (`RLIMIT_NOFILE`, soft).
pub fn descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer describes `limit`.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok(limit.rlim_cur)
}

/// CPU time that this thread has used, in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer describes `time`.
    if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } != 0 {
        return 0;
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Zones change their distance from UTC only when a quarter of an hour begins.
const QUARTER: i64 = 900;

thread_local! {
    /// The last quarter of an hour that was asked for, and its answer: the C library takes a lock.
    static OFFSET: Cell<(i64, i32)> = const { Cell::new((i64::MIN, 0)) };
}

/// Seconds that local time is ahead of UTC at a moment (unix seconds).
pub fn utc_offset(unix_seconds: i64) -> i32 {
    let quarter = unix_seconds.div_euclid(QUARTER);
    let (known, offset) = OFFSET.get();
    if known == quarter {
        return offset;
    }
    let offset = local(unix_seconds).map_or(0, |local| local.tm_gmtoff as i32);
    OFFSET.set((quarter, offset));
    offset
}

/// The same, and the zone's abbreviation.
pub fn local_zone(unix_seconds: i64) -> (i32, String) {
    let Some(local) = local(unix_seconds) else {
        return (0, "UTC".to_owned());
    };
    if local.tm_zone.is_null() {
        return (local.tm_gmtoff as i32, String::new());
    }
    // SAFETY: the C library's names of zones end with NUL and stay as long as the program.
    let name = unsafe { std::ffi::CStr::from_ptr(local.tm_zone) };
    (local.tm_gmtoff as i32, name.to_string_lossy().into_owned())
}

fn local(unix_seconds: i64) -> Option<libc::tm> {
    // SAFETY: all zeroes is a valid tm.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that outlive the call.
    let found = unsafe { libc::localtime_r(&raw const unix_seconds, &raw mut local) };
    (!found.is_null()).then_some(local)
}
