//! Files of patterns and maps, shared by all expressions that name them.
//!
//! Each is a snapshot behind a lock that is held for a pointer's copy only: an operator's change
//! (`add map`, `del acl`, `http-request set-map`) puts a new one in its place.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use telamon_plan::rules::PatternSet;

/// One file's lines: keys, and for maps their values.
pub(crate) type Lines = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// One file, with a number that each change moves on.
pub(crate) struct Set {
    pub(crate) path: String,
    state: RwLock<(u64, Arc<Lines>)>,
}

impl Set {
    pub(crate) fn lines(&self) -> (u64, Arc<Lines>) {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut lines = (*state.1).clone();
        change(&mut lines);
        *state = (state.0 + 1, Arc::new(lines));
    }

    /// Adds a line, or changes the value of one that is there.
    pub(crate) fn set(&self, key: &[u8], value: Option<&[u8]>) {
        self.change(|lines| {
            let value = value.map(<[u8]>::to_vec);
            match lines.iter_mut().find(|line| line.0 == key) {
                Some(line) => line.1 = value,
                None => lines.push((key.to_vec(), value)),
            }
        });
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        self.change(|lines| lines.retain(|line| line.0 != key));
    }
}

/// All files of a plan, by id.
#[derive(Clone, Default)]
pub struct PatternSets {
    sets: HashMap<u32, Arc<Set>>,
}

impl PatternSets {
    pub fn new(sets: &[PatternSet]) -> PatternSets {
        let compiled = sets.iter().map(|set| {
            let lines = set.lines.iter().map(|line| {
                let value = line.value.as_ref().map(|value| value.clone().into_bytes());
                (line.key.clone().into_bytes(), value)
            });
            let state = RwLock::new((0, Arc::new(lines.collect())));
            let path = set.path.clone();
            (set.id, Arc::new(Set { path, state }))
        });
        PatternSets {
            sets: compiled.collect(),
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Set>> {
        self.sets.get(&id).cloned()
    }

    pub(crate) fn by_path(&self, path: &str) -> Option<Arc<Set>> {
        self.sets.values().find(|set| set.path == path).cloned()
    }
}
