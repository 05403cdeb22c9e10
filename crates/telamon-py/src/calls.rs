//! Calls of Python functions and what they give, as Python's values and back.

use std::net::IpAddr;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt, PyList, PyString, PyTuple};
use telamon_engine::{CallOutcome, CallRequest, View};
use telamon_expr::{CallEnd, CallKind, Sample};

/// As `telamon.engine` reads it: kind of event, token, kind, name, arguments, given, view.
pub(crate) fn request<'py>(py: Python<'py>, request: CallRequest) -> PyResult<Bound<'py, PyTuple>> {
    let function = &request.call.function;
    let kind = match function.kind {
        CallKind::Fetch => "fetch",
        CallKind::Converter => "converter",
        CallKind::Action => "action",
        CallKind::Service => "service",
    };
    let arguments = PyList::empty(py);
    for argument in &function.arguments {
        arguments.append(text(py, argument)?)?;
    }
    let given = PyList::empty(py);
    for sample in &request.call.given {
        given.append(value(py, sample)?)?;
    }
    let view = request.view.map(|shown| view(py, shown)).transpose()?;
    let name = function.name.as_str();
    ("call", request.token, kind, name, arguments, given, view).into_pyobject(py)
}

fn view<'py>(py: Python<'py>, view: View) -> PyResult<Bound<'py, PyTuple>> {
    let request = view.request;
    let request = (
        PyBytes::new(py, &request.method),
        PyBytes::new(py, &request.uri),
        request.version,
        fields(py, &request.fields)?,
        PyBytes::new(py, &request.body),
    );
    let response = view.response.map(|response| {
        let lines = fields(py, &response.fields)?;
        let reason = PyBytes::new(py, &response.reason);
        let body = PyBytes::new(py, &response.body);
        Ok::<_, PyErr>((response.status, reason, lines, body))
    });
    let variables = PyList::empty(py);
    for (name, sample) in &view.variables {
        variables.append((name, value(py, sample)?))?;
    }
    let (client, frontend, backend) = (view.client, view.frontend, view.backend);
    let response = response.transpose()?;
    (request, response, client, frontend, backend, variables).into_pyobject(py)
}

fn fields<'py>(py: Python<'py>, fields: &[(Vec<u8>, Vec<u8>)]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (name, value) in fields {
        list.append((PyBytes::new(py, name), PyBytes::new(py, value)))?;
    }
    Ok(list)
}

pub(crate) fn value<'py>(py: Python<'py>, sample: &Sample<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match sample {
        Sample::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Sample::Int(value) => value.into_pyobject(py)?.into_any(),
        Sample::Ip(ip) => ip.into_pyobject(py)?.into_any(),
        Sample::Str(bytes) => text(py, bytes)?,
        Sample::Bin(bytes) => PyBytes::new(py, bytes).into_any(),
    })
}

/// Text is UTF-8; what is not stays bytes.
fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => PyString::new(py, text).into_any(),
        Err(_) => PyBytes::new(py, bytes).into_any(),
    })
}

pub(crate) fn failure() -> CallOutcome {
    CallOutcome {
        failed: true,
        ..CallOutcome::default()
    }
}

pub(crate) fn outcome(
    failed: bool,
    value: &Bound<'_, PyAny>,
    edits: Vec<(String, Vec<Bound<'_, PyAny>>)>,
    message: Option<Vec<u8>>,
    deny: Option<u16>,
) -> PyResult<CallOutcome> {
    let value = if value.is_none() {
        None
    } else {
        Some(sample(value)?)
    };
    let changes = edits.into_iter().map(|(action, arguments)| {
        let arguments = arguments.iter().map(sample).collect::<PyResult<_>>()?;
        Ok((action, arguments))
    });
    Ok(CallOutcome {
        failed,
        value,
        changes: changes.collect::<PyResult<_>>()?,
        end: deny
            .map(CallEnd::Deny)
            .or_else(|| message.map(CallEnd::Message)),
    })
}

fn sample(value: &Bound<'_, PyAny>) -> PyResult<Sample<'static>> {
    if let Ok(flag) = value.cast::<PyBool>() {
        Ok(Sample::Bool(flag.is_true()))
    } else if value.is_instance_of::<PyInt>() {
        Ok(Sample::Int(value.extract()?))
    } else if let Ok(text) = value.cast::<PyString>() {
        Ok(Sample::owned(text.to_string().into_bytes()))
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Ok(Sample::Bin(bytes.as_bytes().to_vec().into()))
    } else if let Ok(ip) = value.extract::<IpAddr>() {
        Ok(Sample::Ip(ip))
    } else {
        Err(PyTypeError::new_err(format!("{value} is no sample")))
    }
}
