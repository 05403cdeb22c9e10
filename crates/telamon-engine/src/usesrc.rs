//! Whose address a server sees: ours, or a foreign one (manual 4.2, `source ... usesrc`).

use std::net::{IpAddr, SocketAddr};

use telamon_plan::{Presented, SocketAddress, UseSource};
use telamon_sys::Pool;

use crate::conn::Slot;
use crate::http::Asked;

/// The foreign address for a stream's connection; None: none is known, so that ours is shown.
pub(crate) fn presented(usesrc: &UseSource, slot: &Slot, pool: &Pool) -> Option<SocketAddr> {
    match usesrc.whose {
        Presented::Address => match usesrc.address {
            Some(SocketAddress::Inet { host, port }) => Some((host, port).into()),
            _ => None,
        },
        Presented::Client => slot.client,
        Presented::ClientIp => slot.client.map(|client| (client.ip(), 0).into()),
        Presented::Header => {
            let asked = Asked::of(slot, pool);
            let values: Vec<_> = asked.values(&usesrc.header).collect();
            let value = values.get(place(usesrc.occurrence, values.len())?)?;
            let address: IpAddr = std::str::from_utf8(value).ok()?.parse().ok()?;
            Some((address, 0).into())
        }
    }
}

/// Where in so many values an occurrence is: the first is 1, the last -1. There is no 0th.
fn place(occurrence: i32, count: usize) -> Option<usize> {
    let distance = usize::try_from(occurrence.unsigned_abs()).ok()?;
    match occurrence {
        1.. => Some(distance - 1),
        0 => None,
        _ => count.checked_sub(distance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurrences_count_from_both_ends() {
        assert_eq!(
            [place(1, 3), place(-1, 3), place(-3, 3)],
            [Some(0), Some(2), Some(0)]
        );
        assert_eq!([place(0, 3), place(-4, 3)], [None, None]);
    }
}
