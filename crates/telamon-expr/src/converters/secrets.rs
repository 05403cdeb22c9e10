//! Arguments that hold bytes: base64 in the file, or a variable that has it so.

use std::borrow::Cow;

use crate::args::Args;
use crate::compile::Compiler;
use crate::env::Env;
use crate::vars::Slot;

#[derive(Clone)]
pub(super) enum Secret {
    Fixed(Vec<u8>),
    Variable(Slot),
}

impl Secret {
    /// The argument at `at`; `what` names it if it is missing.
    pub(super) fn new(
        args: Args<'_>,
        at: usize,
        what: &str,
        compiler: &mut Compiler,
    ) -> Result<Secret, String> {
        let text = args.needed(at, what)?;
        if let Some(slot) = compiler.variable(&text) {
            return Ok(Secret::Variable(slot));
        }
        let bytes = super::decode_base64(&text);
        let bytes = bytes.ok_or_else(|| format!("{what}: write base64 digits or a variable"))?;
        Ok(Secret::Fixed(bytes))
    }

    pub(super) fn value(&self, env: &Env<'_>) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Secret::Fixed(bytes) => Cow::Borrowed(bytes),
            Secret::Variable(slot) => {
                let text = env.vars.get(*slot)?.into_text();
                Cow::Owned(super::decode_base64(&text)?)
            }
        })
    }

    /// How long it is, where the file says it.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Secret::Fixed(bytes) => Some(bytes.len()),
            Secret::Variable(_) => None,
        }
    }
}
