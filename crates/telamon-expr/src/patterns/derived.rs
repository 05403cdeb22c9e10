//! What an expression makes of a set, made anew when the set has changed.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Lines, Set};

type Make<T> = Box<dyn Fn(&Lines) -> Result<T, String> + Send + Sync>;

/// `first` serves as long as nobody changes the set, without a lock.
pub(crate) struct Derived<T> {
    set: Arc<Set>,
    first: T,
    later: RwLock<(u64, Option<Arc<T>>)>,
    make: Make<T>,
}

impl<T> Derived<T> {
    /// An error names the set's file.
    pub(crate) fn new(
        set: Arc<Set>,
        make: impl Fn(&Lines) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let blame = |error| match set.path.as_str() {
            "" => error,
            path => format!("{path}: {error}"),
        };
        let first = make(&set.lines().1).map_err(blame)?;
        Ok(Derived {
            set,
            first,
            later: RwLock::new((0, None)),
            make: Box::new(make),
        })
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let changes = self.set.changes();
        if changes == 0 {
            return look(&self.first);
        }
        match self.later(changes) {
            Some(later) => look(&later),
            None => look(&self.first),
        }
    }

    fn later(&self, changes: u64) -> Option<Arc<T>> {
        let known = self.later.read().unwrap_or_else(PoisonError::into_inner);
        if known.0 >= changes {
            return known.1.clone();
        }
        drop(known);
        let mut known = self.later.write().unwrap_or_else(PoisonError::into_inner);
        if known.0 < changes {
            let (number, lines) = self.set.lines();
            known.0 = number;
            // A rule may have put in what is no pattern: what was there before goes on.
            if let Ok(made) = (self.make)(&lines) {
                known.1 = Some(Arc::new(made));
            }
        }
        known.1.clone()
    }
}
