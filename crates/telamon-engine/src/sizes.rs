//! How large things may be (manual 3.2, `tune.bufsize` and its kin).

use telamon_http::Limits;
use telamon_plan::ProcessPlan;
use telamon_sys::pool;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The longest response head, and as much of a body as rules see.
    pub(crate) buffer: usize,
    /// The longest request head, which leaves room for what rules add.
    pub(crate) head: usize,
    fields: usize,
    any_payload: bool,
    /// The longest request line in a log.
    pub(crate) log_line: usize,
}

impl Sizes {
    pub(crate) fn new(plan: &ProcessPlan) -> Sizes {
        // What is withheld must fit into one of the pool's buffers.
        let largest = pool::SIZES[pool::CLASSES - 1];
        let buffer = plan.bufsize.min(largest);
        Sizes {
            buffer,
            head: buffer - plan.maxrewrite.min(buffer / 2),
            fields: plan.max_headers.saturating_sub(1) as usize,
            any_payload: plan.payload_with_any_method,
            log_line: plan.log_uri_length,
        }
    }

    pub(crate) fn requests(&self) -> Limits {
        Limits {
            length: self.head,
            fields: self.fields,
            any_payload: self.any_payload,
        }
    }

    pub(crate) fn responses(&self) -> Limits {
        Limits {
            length: self.buffer,
            ..self.requests()
        }
    }
}
