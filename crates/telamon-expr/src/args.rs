//! Arguments as a row's constructor reads them.

use telamon_plan::rules::Argument;

/// The arguments of a fetch, a converter or an action, in order.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a [Option<Argument>]);

impl<'a> Args<'a> {
    fn get(self, at: usize) -> Option<&'a Argument> {
        self.0.get(at)?.as_ref()
    }

    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    /// Text, numbers as their digits.
    pub(crate) fn text(self, at: usize) -> Option<Vec<u8>> {
        Some(match self.get(at)? {
            Argument::Text(text) => text.clone().into_bytes(),
            Argument::Number(number) => number.to_string().into_bytes(),
        })
    }

    pub(crate) fn needed(self, at: usize, what: &str) -> Result<Vec<u8>, String> {
        self.text(at).ok_or_else(|| format!("{what} is missing"))
    }

    pub(crate) fn string(self, at: usize) -> Option<String> {
        self.text(at)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn number(self, at: usize) -> Result<Option<i64>, String> {
        match self.get(at) {
            None => Ok(None),
            Some(Argument::Number(number)) => Ok(Some(*number)),
            Some(Argument::Text(text)) if text.is_empty() => Ok(None),
            Some(Argument::Text(text)) => text
                .parse()
                .map(Some)
                .map_err(|_| format!("'{text}' is no number")),
        }
    }
}
