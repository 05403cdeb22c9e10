//! What a frontend and a backend say together about the HTTP that goes between them.

use std::net::IpAddr;

use telamon_plan::http::{AddressHeader, ConnectionMode, HttpSettings, Reuse};
use telamon_plan::{Proxy, ProxyPlan};
use telamon_session::Policy;

/// Compiled once for a frontend and its backend.
pub(crate) struct Route {
    pub(crate) mode: ConnectionMode,
    pub(crate) reuse: Reuse,
    pub(crate) abort_on_close: bool,
    /// The server is not told that its connection ends.
    pub(crate) pretend_keepalive: bool,
    pub(crate) forward_for: Option<AddressField>,
    pub(crate) original_to: Option<AddressField>,
    pub(crate) server_name: Option<Vec<u8>>,
    pub(crate) unsafe_responses: bool,
    /// `h1-case-adjust` counts for what goes to clients, and to servers.
    pub(crate) client_case: bool,
    pub(crate) server_case: bool,
    pub(crate) drop_request_trailers: bool,
    pub(crate) drop_response_trailers: bool,
    pub(crate) retry: RetryOn,
    pub(crate) policy: Policy,
}

/// `option forwardfor` or `originalto`: a field with an address.
pub(crate) struct AddressField {
    pub(crate) name: Vec<u8>,
    pub(crate) if_none: bool,
    except: Option<(IpAddr, u8)>,
}

/// After which failures of an established connection a request is sent again (`retry-on`).
#[derive(Default)]
pub(crate) struct RetryOn {
    /// So often.
    pub(crate) most: u32,
    pub(crate) conn_failure: bool,
    pub(crate) empty_response: bool,
    pub(crate) junk_response: bool,
    pub(crate) response_timeout: bool,
    pub(crate) statuses: Vec<u16>,
}

impl Route {
    pub(crate) fn new(front: &Proxy, back: &Proxy) -> Route {
        let (one, other) = (&front.http, &back.http);
        let mode = one.connection.max(other.connection);
        Route {
            mode: mode.unwrap_or(ConnectionMode::KeepAlive),
            reuse: other.reuse,
            pretend_keepalive: one.pretend_keepalive || other.pretend_keepalive,
            abort_on_close: one.abort_on_close || other.abort_on_close,
            forward_for: address_field(one, other, |http| http.forward_for.as_ref()),
            original_to: address_field(one, other, |http| http.original_to.as_ref()),
            server_name: other.server_name_header.as_ref().map(|name| lower(name)),
            unsafe_responses: other.unsafe_responses,
            client_case: one.adjust_client_case,
            server_case: other.adjust_server_case,
            drop_request_trailers: one.drop_request_trailers || other.drop_request_trailers,
            drop_response_trailers: one.drop_response_trailers || other.drop_response_trailers,
            retry: RetryOn {
                most: back.backend.as_ref().map_or(0, |backend| backend.retries),
                ..RetryOn::new(&other.retry_on)
            },
            policy: policy(front, back),
        }
    }

    /// The route of a frontend to its default backend.
    pub(crate) fn default_of(plan: &ProxyPlan, front: &Proxy) -> Route {
        let id = front
            .frontend
            .as_ref()
            .and_then(|frontend| frontend.default_backend);
        Route::new(front, id.and_then(|id| plan.proxy(id)).unwrap_or(front))
    }
}

/// The client's timeouts are the frontend's, the server's the backend's own.
pub(crate) fn policy(front: &Proxy, back: &Proxy) -> Policy {
    Policy {
        client: front.timeouts.client,
        client_fin: front.timeouts.client_fin,
        server: back.timeouts.server,
        server_fin: back.timeouts.server_fin,
        connect: back.timeouts.connect,
        queue: back.timeouts.queue,
        tunnel: back.timeouts.tunnel,
        // Those of the connect alone.
        retries: match RetryOn::new(&back.http.retry_on).conn_failure {
            true => back.backend.as_ref().map_or(0, |backend| backend.retries),
            false => 0,
        },
        redispatch: back
            .backend
            .as_ref()
            .map_or(0, |backend| backend.redispatch),
    }
}

/// The backend's words win over the frontend's (manual, `option forwardfor`).
fn address_field<'h>(
    front: &'h HttpSettings,
    back: &'h HttpSettings,
    of: impl Fn(&'h HttpSettings) -> Option<&'h AddressHeader>,
) -> Option<AddressField> {
    of(back).or_else(|| of(front)).map(|header| AddressField {
        name: lower(&header.header),
        if_none: header.if_none,
        except: header.exception.as_deref().and_then(network),
    })
}

fn lower(name: &str) -> Vec<u8> {
    name.to_ascii_lowercase().into_bytes()
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (host, bits) = text.split_once('/').unwrap_or((text, ""));
    let ip: IpAddr = host.parse().ok()?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let bits = if bits.is_empty() {
        most
    } else {
        bits.parse().ok()?
    };
    (bits <= most).then_some((ip, bits))
}

impl AddressField {
    /// Is the address among those that get no field?
    pub(crate) fn excepts(&self, address: IpAddr) -> bool {
        let high = |value: u128, width: u32, bits: u8| {
            value.checked_shr(width - u32::from(bits)).unwrap_or(0)
        };
        match (self.except, address) {
            (Some((IpAddr::V4(net), bits)), IpAddr::V4(ip)) => {
                let bytes = |ip: std::net::Ipv4Addr| u128::from(u32::from(ip));
                high(bytes(net), 32, bits) == high(bytes(ip), 32, bits)
            }
            (Some((IpAddr::V6(net), bits)), IpAddr::V6(ip)) => {
                high(u128::from(net), 128, bits) == high(u128::from(ip), 128, bits)
            }
            _ => false,
        }
    }
}

impl RetryOn {
    /// The words of `retry-on`; without them, failed connections only.
    fn new(words: &[String]) -> RetryOn {
        let mut retry = RetryOn {
            conn_failure: words.is_empty(),
            ..RetryOn::default()
        };
        for word in words {
            match word.as_str() {
                "none" => return RetryOn::default(),
                "conn-failure" => retry.conn_failure = true,
                "empty-response" => retry.empty_response = true,
                "junk-response" => retry.junk_response = true,
                "response-timeout" => retry.response_timeout = true,
                "all-retryable-errors" => {
                    retry.conn_failure = true;
                    retry.empty_response = true;
                    retry.junk_response = true;
                    retry.response_timeout = true;
                    retry.statuses.extend([500, 502, 503, 504]);
                }
                // 0rtt-rejected belongs to TLS.
                other => retry.statuses.extend(other.parse::<u16>()),
            }
        }
        retry
    }

    /// Must a request be kept until its response has begun?
    pub(crate) fn keeps_requests(&self) -> bool {
        self.empty_response
            || self.junk_response
            || self.response_timeout
            || !self.statuses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_except_their_addresses() {
        let field = |text: &str| AddressField {
            name: Vec::new(),
            if_none: false,
            except: network(text),
        };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(field("10.0.0.0/8").excepts(ip("10.200.3.4")));
        assert!(!field("10.0.0.0/8").excepts(ip("11.0.0.1")));
        assert!(field("0.0.0.0/0").excepts(ip("11.0.0.1")));
        assert!(field("::1").excepts(ip("::1")));
        assert!(!field("::1").excepts(ip("127.0.0.1")));
    }
}
