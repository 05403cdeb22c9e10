//! Streams as Python sees them: keyword arguments of `telamon.engine.Session`.

use std::time::UNIX_EPOCH;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use telamon_engine::Session;

pub(crate) fn list<'py>(py: Python<'py>, sessions: &[Session]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for session in sessions {
        list.append(dict(py, session)?)?;
    }
    Ok(list)
}

fn dict<'py>(py: Python<'py>, session: &Session) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let client = session
        .client
        .map(|client| (client.ip().to_canonical().to_string(), client.port()));
    let accepted = session.accepted.duration_since(UNIX_EPOCH);
    dict.set_item("id", session.id)?;
    dict.set_item("client", client)?;
    dict.set_item("proxy_id", session.proxy)?;
    dict.set_item("listener_id", session.listener)?;
    dict.set_item("backend_id", session.backend)?;
    dict.set_item("server_id", session.server)?;
    dict.set_item(
        "accepted",
        accepted.map_or(0.0, |since| since.as_secs_f64()),
    )?;
    dict.set_item("expires_ms", session.expires)?;
    dict.set_item("client_fd", session.fds[0])?;
    dict.set_item("server_fd", session.fds[1])?;
    dict.set_item("server_side", session.server_side.name())?;
    dict.set_item("retries", session.retries)?;
    dict.set_item("bytes_in", session.bytes[0])?;
    dict.set_item("bytes_out", session.bytes[1])?;
    Ok(dict)
}
