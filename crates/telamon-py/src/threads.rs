//! The threads' state and descriptors as Python sees them: keyword arguments of
//! `telamon.engine.ThreadState` and `telamon.engine.Descriptor`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use telamon_engine::{Descriptor, ThreadState};

pub(crate) fn states<'py>(py: Python<'py>, states: &[ThreadState]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for state in states {
        let dict = PyDict::new(py);
        let totals = PyDict::new(py);
        for (name, value) in &state.totals {
            totals.set_item(name, value)?;
        }
        let pools = state.pools.iter();
        let pools: Vec<_> = pools
            .map(|pool| (pool.name, pool.size, pool.made, pool.used))
            .collect();
        dict.set_item("thread", state.thread)?;
        dict.set_item("cpu_ns", state.cpu_ns)?;
        dict.set_item("totals", totals)?;
        dict.set_item("streams", state.streams)?;
        dict.set_item("pools", pools)?;
        list.append(dict)?;
    }
    Ok(list)
}

pub(crate) fn descriptors<'py>(
    py: Python<'py>,
    descriptors: &[Descriptor],
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for one in descriptors {
        let dict = PyDict::new(py);
        dict.set_item("fd", one.fd)?;
        dict.set_item("thread", one.thread)?;
        dict.set_item("holder", one.holder.name())?;
        dict.set_item("proxy_id", one.proxy)?;
        dict.set_item("backend_id", one.backend)?;
        dict.set_item("server_id", one.server)?;
        dict.set_item("receiving", one.receiving)?;
        dict.set_item("sending", one.sending)?;
        dict.set_item("connecting", one.connecting)?;
        list.append(dict)?;
    }
    Ok(list)
}
