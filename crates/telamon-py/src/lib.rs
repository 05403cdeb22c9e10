//! `telamon._engine`: the data plane for Python. Conversion and errors only.

mod calls;
mod patterns;
mod sessions;
mod threads;

use std::os::fd::RawFd;

use pyo3::exceptions::{PyKeyError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use telamon_engine::{Choice, EngineError, Event, ServerState, Values};
use telamon_plan::ProxyPlan;

fn raise(error: EngineError) -> PyErr {
    match error {
        EngineError::Plan(error) => PyValueError::new_err(error.to_string()),
        EngineError::Value(text) => PyValueError::new_err(text),
        EngineError::Missing(text) => PyKeyError::new_err(text),
        EngineError::Io(error) => match error.raw_os_error() {
            Some(code) => PyOSError::new_err((code, error.to_string())),
            None => PyOSError::new_err(error.to_string()),
        },
    }
}

fn state(word: &str) -> PyResult<ServerState> {
    match word {
        "up" => Ok(ServerState::Up),
        "drain" => Ok(ServerState::Drain),
        "down" => Ok(ServerState::Down),
        "maint" => Ok(ServerState::Maint),
        _ => Err(PyValueError::new_err(format!(
            "'{word}' is not a server state"
        ))),
    }
}

fn values<'py>(py: Python<'py>, values: &Values) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in values {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

#[pyclass(frozen)]
struct Engine {
    inner: telamon_engine::Engine,
}

#[pymethods]
impl Engine {
    #[new]
    fn new(
        py: Python<'_>,
        plan: &str,
        listeners: Vec<(u32, u32, RawFd)>,
        io: &str,
        threads: usize,
    ) -> PyResult<Self> {
        let choice = match io {
            "auto" => Choice::Auto,
            "uring" => Choice::Uring,
            "epoll" => Choice::Epoll,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "'{io}' is not an I/O engine"
                )))
            }
        };
        let made = py.detach(|| telamon_engine::Engine::new(plan, &listeners, choice, threads));
        Ok(Engine {
            inner: made.map_err(raise)?,
        })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.start()).map_err(raise)
    }

    #[getter]
    fn io(&self) -> &'static str {
        self.inner.io()
    }

    #[getter]
    fn io_reason(&self) -> &str {
        self.inner.io_reason()
    }

    fn event_fd(&self) -> RawFd {
        self.inner.event_fd()
    }

    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in self.inner.events() {
            match event {
                Event::Page {
                    token,
                    proxy_id,
                    client,
                    head,
                    body,
                } => {
                    let (head, body) = (PyBytes::new(py, &head), PyBytes::new(py, &body));
                    list.append(("page", token, proxy_id, client, head, body))?;
                }
                Event::Message { level, text } => list.append(("message", level, text))?,
                Event::ServerErrors {
                    proxy_id,
                    server_id,
                    last,
                } => list.append(("errors", proxy_id, server_id, last.name()))?,
                Event::Call(request) => list.append(calls::request(py, *request)?)?,
                Event::CallOver { token } => list.append(("over", token))?,
            }
        }
        Ok(list)
    }

    fn respond(&self, token: u64, response: Vec<u8>, keep_alive: bool) {
        self.inner.respond(token, response, keep_alive);
    }

    fn answer(
        &self,
        token: u64,
        failed: bool,
        value: &Bound<'_, PyAny>,
        edits: Vec<(String, Vec<Bound<'_, PyAny>>)>,
        message: Option<Vec<u8>>,
        deny: Option<u16>,
    ) -> PyResult<()> {
        let outcome = calls::outcome(failed, value, edits, message, deny);
        // What cannot be understood has failed: its request must not wait for it.
        let (outcome, understood) = match outcome {
            Ok(outcome) => (outcome, Ok(())),
            Err(error) => (calls::failure(), Err(error)),
        };
        self.inner.answer(token, outcome).map_err(raise)?;
        understood
    }

    fn patterns(&self) -> patterns::PatternSets {
        patterns::PatternSets(self.inner.patterns().clone())
    }

    fn rings(&self) -> Vec<(String, String, u64)> {
        self.inner.rings()
    }

    fn ring_events<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        start: u64,
    ) -> Option<(u64, Vec<Bound<'py, PyBytes>>)> {
        let (next, lines) = self.inner.ring_lines(name, start)?;
        let lines = lines.iter().map(|line| PyBytes::new(py, line));
        Some((next, lines.collect()))
    }

    fn write_ring(&self, ring: usize, line: &[u8]) {
        self.inner.write_ring(ring, line);
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let taken = py.detach(|| self.inner.snapshot());
        let proxies = PyList::empty(py);
        for proxy in &taken.proxies {
            let item = PyDict::new(py);
            item.set_item("id", proxy.id)?;
            for (name, half) in [("frontend", &proxy.frontend), ("backend", &proxy.backend)] {
                match half {
                    Some(half) => item.set_item(name, values(py, half)?)?,
                    None => item.set_item(name, py.None())?,
                }
            }
            for (name, table) in [("servers", &proxy.servers), ("listeners", &proxy.listeners)] {
                let dict = PyDict::new(py);
                for (id, entry) in table {
                    dict.set_item(id, values(py, entry)?)?;
                }
                item.set_item(name, dict)?;
            }
            item.set_item("idle", &proxy.idle)?;
            proxies.append(item)?;
        }
        let whole = PyDict::new(py);
        whole.set_item("process", values(py, &taken.process)?)?;
        whole.set_item("proxies", proxies)?;
        Ok(whole)
    }

    fn set_server_state(&self, proxy_id: u32, server_id: u32, state: &str) -> PyResult<()> {
        let state = self::state(state)?;
        self.inner
            .set_server_state(proxy_id, server_id, state)
            .map_err(raise)
    }

    fn set_server_weight(&self, proxy_id: u32, server_id: u32, weight: u32) -> PyResult<()> {
        self.inner
            .set_server_weight(proxy_id, server_id, weight)
            .map_err(raise)
    }

    fn set_server_maxconn(&self, proxy_id: u32, server_id: u32, maxconn: u32) -> PyResult<()> {
        self.inner
            .set_server_maxconn(proxy_id, server_id, maxconn)
            .map_err(raise)
    }

    fn set_server_address(
        &self,
        proxy_id: u32,
        server_id: u32,
        host: &str,
        port: u16,
    ) -> PyResult<()> {
        self.inner
            .set_server_address(proxy_id, server_id, host, port)
            .map_err(raise)
    }

    fn set_frontend_maxconn(&self, proxy_id: u32, maxconn: u32) -> PyResult<()> {
        self.inner
            .set_frontend_maxconn(proxy_id, maxconn)
            .map_err(raise)
    }

    fn set_frontend_enabled(&self, proxy_id: u32, enabled: bool) -> PyResult<()> {
        self.inner
            .set_frontend_enabled(proxy_id, enabled)
            .map_err(raise)
    }

    fn shutdown_frontend(&self, proxy_id: u32) -> PyResult<bool> {
        self.inner.shutdown_frontend(proxy_id).map_err(raise)
    }

    fn set_process_maxconn(&self, maxconn: u32) {
        self.inner.set_process_maxconn(maxconn);
    }

    #[getter]
    fn process_maxconn(&self) -> u32 {
        self.inner.process_maxconn()
    }

    fn shutdown_sessions(&self, proxy_id: u32, server_id: u32) -> PyResult<u32> {
        self.inner
            .shutdown_sessions(proxy_id, server_id)
            .map_err(raise)
    }

    fn set_connection_rate(&self, limit: u32) {
        self.inner.set_connection_rate(limit);
    }

    fn set_session_rate(&self, limit: u32) {
        self.inner.set_session_rate(limit);
    }

    fn process_variable<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.inner.process_variable(name);
        found.map(|value| calls::value(py, &value)).transpose()
    }

    /// Runs rules (JSON) that set variables of the process.
    fn set_variables(&self, rules: &str) -> PyResult<()> {
        self.inner.set_variables(rules).map_err(raise)
    }

    fn threads<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = py.detach(|| self.inner.threads());
        threads::states(py, &found)
    }

    fn descriptors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = py.detach(|| self.inner.descriptors());
        threads::descriptors(py, &found)
    }

    fn sessions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let found = py.detach(|| self.inner.sessions());
        sessions::list(py, &found)
    }

    fn shutdown_session(&self, py: Python<'_>, id: u64) -> bool {
        py.detach(|| self.inner.shutdown_session(id))
    }

    fn clear_counters(&self, everything: bool) {
        self.inner.clear_counters(everything);
    }

    fn soft_stop(&self) {
        self.inner.soft_stop();
    }

    fn active(&self) -> u32 {
        self.inner.active()
    }

    fn dead_threads(&self) -> usize {
        self.inner.dead_threads()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.inner.stop());
    }
}

/// Can io_uring be had here, and why or why not.
#[pyfunction]
fn probe_io<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
    let (works, reason) = py.detach(telamon_engine::probe_io);
    (works, reason).into_pyobject(py)
}

/// The words of the rule language that are carried out, by kind.
#[pyfunction]
fn known_words() -> Vec<(&'static str, Vec<&'static str>)> {
    telamon_expr::known_words()
}

/// What of a plan's rules cannot be compiled.
#[pyfunction]
fn check_rules(py: Python<'_>, plan: &str) -> PyResult<Vec<String>> {
    let checked = py.detach(|| ProxyPlan::from_json(plan).map(|plan| telamon_expr::check(&plan)));
    checked.map_err(|error| raise(EngineError::Plan(error)))
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Engine>()?;
    module.add_class::<patterns::PatternSets>()?;
    module.add_function(wrap_pyfunction!(known_words, module)?)?;
    module.add_function(wrap_pyfunction!(check_rules, module)?)?;
    module.add_function(wrap_pyfunction!(probe_io, module)?)
}
