//! The sets of patterns and maps, for the stats socket.

use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use telamon_expr::{PatternSet, Refusal, Which};

/// What is said of a set: number, path, whether ACLs and maps use it, its users; the version that
/// is looked at, the newest one, how many entries there are.
type Summary = (u32, String, bool, bool, String, u32, u32, usize);
/// Id, key, value.
type Entry<'py> = (u64, Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);
/// Method, whether case is ignored and a tree searched; the entry's key, value and its type.
type Hit<'py> = (
    &'static str,
    bool,
    bool,
    Option<Bound<'py, PyBytes>>,
    Option<(Bound<'py, PyBytes>, &'static str)>,
);

#[pyclass(frozen)]
pub(crate) struct PatternSets(pub(crate) telamon_expr::PatternSets);

impl PatternSets {
    fn of(&self, number: u32) -> PyResult<&Arc<PatternSet>> {
        let found = self.0.numbered(number);
        found.ok_or_else(|| PyKeyError::new_err(number))
    }
}

fn raise(refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Version => PyIndexError::new_err("this version was not prepared"),
        Refusal::Text(text) => PyValueError::new_err(text),
    }
}

/// By key, or by id where there is one.
fn which(key: &[u8], id: Option<u64>) -> Which<'_> {
    id.map_or(Which::Key(key), Which::Id)
}

#[pymethods]
impl PatternSets {
    /// None at all.
    #[new]
    fn new() -> Self {
        PatternSets(telamon_expr::PatternSets::default())
    }

    fn sets(&self) -> Vec<Summary> {
        let shown = self.0.shown().into_iter();
        shown
            .map(|set| {
                let summary = set.summary();
                (
                    set.number,
                    set.path.clone(),
                    set.is_acl,
                    set.is_map,
                    set.description.clone(),
                    summary.current,
                    summary.next,
                    summary.count,
                )
            })
            .collect()
    }

    fn entries<'py>(
        &self,
        py: Python<'py>,
        number: u32,
        version: Option<u32>,
    ) -> PyResult<Vec<Entry<'py>>> {
        let listed = self.of(number)?.list(version);
        let bytes = |text: &Vec<u8>| PyBytes::new(py, text);
        Ok(listed
            .iter()
            .map(|entry| (entry.id, bytes(&entry.key), entry.value.as_ref().map(bytes)))
            .collect())
    }

    fn look_up<'py>(&self, py: Python<'py>, number: u32, text: &[u8]) -> PyResult<Vec<Hit<'py>>> {
        let found = self.of(number)?.look_up(text);
        let bytes = |text: &[u8]| PyBytes::new(py, text);
        Ok(found
            .iter()
            .map(|hit| {
                let value = hit.value.as_ref();
                (
                    hit.method,
                    hit.ignore_case,
                    hit.tree,
                    hit.key.as_deref().map(bytes),
                    value.map(|(text, kind)| (bytes(text), *kind)),
                )
            })
            .collect())
    }

    fn add(
        &self,
        number: u32,
        version: Option<u32>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> PyResult<()> {
        self.of(number)?.add(version, key, value).map_err(raise)
    }

    fn change(&self, number: u32, key: &[u8], id: Option<u64>, value: &[u8]) -> PyResult<usize> {
        let set = self.of(number)?;
        set.change(which(key, id), value).map_err(raise)
    }

    fn remove(&self, number: u32, key: &[u8], id: Option<u64>) -> PyResult<usize> {
        Ok(self.of(number)?.remove(which(key, id)))
    }

    fn clear(&self, number: u32, version: Option<u32>) -> PyResult<()> {
        self.of(number)?.clear(version);
        Ok(())
    }

    fn prepare(&self, number: u32) -> PyResult<u32> {
        Ok(self.of(number)?.prepare())
    }

    fn commit(&self, number: u32, version: u32) -> PyResult<bool> {
        Ok(self.of(number)?.commit(version))
    }
}
