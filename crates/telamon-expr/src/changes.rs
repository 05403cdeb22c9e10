//! What a function that lives elsewhere wants changed, by the names of the actions that would do
//! the same.

use telamon_http::Message;

use crate::actions::{clean, Edit};
use crate::reply::reason;
use crate::sample::Sample;
use crate::vars::{Slot, VariableNames, Vars};

/// One change, ready to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change(What);

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Head(Edit),
    SetVar(Slot, Sample<'static>),
    UnsetVar(Slot),
}

impl Change {
    /// `action` with its arguments, as in a rule.
    pub fn new(
        action: &str,
        arguments: Vec<Sample<'static>>,
        names: &VariableNames,
    ) -> Result<Change, String> {
        let mut arguments = arguments.into_iter();
        let mut next = || {
            let argument = arguments.next();
            argument.ok_or_else(|| format!("'{action}' lacks an argument"))
        };
        let mut text = || next().map(|sample| clean(text_of(sample)));
        Ok(Change(match action {
            "set-header" => What::Head(Edit::Set(lower(text()?), text()?)),
            "add-header" => What::Head(Edit::Add(lower(text()?), text()?)),
            "del-header" => What::Head(Edit::Delete(vec![lower(text()?)])),
            "set-method" => What::Head(Edit::Method(text()?)),
            "set-path" => What::Head(Edit::Path(text()?, false)),
            "set-query" => What::Head(Edit::Query(text()?)),
            "set-uri" => What::Head(Edit::Uri(text()?)),
            "set-status" => {
                let status = next()?.as_int().and_then(|code| u16::try_from(code).ok());
                let status = status.filter(|code| (100..1000).contains(code));
                let status = status.ok_or("a status has three digits")?;
                let said = clean(text_of(next()?));
                let said = if said.is_empty() {
                    reason(status).to_vec()
                } else {
                    said
                };
                What::Head(Edit::Status(status, said))
            }
            "set-var" => What::SetVar(names.slot(&text()?)?, next()?),
            "unset-var" => What::UnsetVar(names.slot(&text()?)?),
            other => {
                return Err(format!(
                    "'{other}' is no change that a function can ask for"
                ))
            }
        }))
    }

    pub(crate) fn make(self, head: &mut Message, vars: &Vars) {
        match self.0 {
            What::Head(edit) => edit.apply(head),
            What::SetVar(slot, value) => vars.set(slot, value),
            What::UnsetVar(slot) => vars.unset(slot),
        }
    }
}

/// Bytes are text that is not UTF-8, and stand as they are.
fn text_of(sample: Sample<'static>) -> Vec<u8> {
    match sample {
        Sample::Bin(bytes) => bytes.into_owned(),
        other => other.into_text().into_owned(),
    }
}

fn lower(name: Vec<u8>) -> Vec<u8> {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::ProcessVars;

    fn change(action: &str, arguments: &[&str]) -> Result<Change, String> {
        let arguments = arguments
            .iter()
            .map(|text| Sample::owned(text.as_bytes().to_vec()));
        Change::new(action, arguments.collect(), &VariableNames::default())
    }

    #[test]
    fn changes_are_made_as_rules_make_them() {
        let (mut head, vars) = (Message::default(), Vars::new(&ProcessVars::default()));
        head.begin_response(200, b"OK");
        for (action, arguments) in [
            ("add-header", &["X-A", "1"][..]),
            ("add-header", &["X-A", "2"]),
            ("set-header", &["x-b", "a\r\nevil: b"]),
            ("del-header", &["x-a"]),
            ("set-status", &["404", ""]),
        ] {
            change(action, arguments).unwrap().make(&mut head, &vars);
        }
        let lines: Vec<_> = head.fields().map(|field| field.value.to_vec()).collect();
        assert_eq!(lines, [b"a  evil: b".to_vec()]);
        assert_eq!((head.status(), head.reason()), (404, &b"Not Found"[..]));
    }

    #[test]
    fn what_no_function_may_ask_is_refused() {
        for (action, arguments) in [
            ("set-src", &["192.0.2.1"][..]),
            ("set-header", &["x"]),
            ("set-var", &["name", "value"]),
            ("set-status", &["9", ""]),
        ] {
            assert!(change(action, arguments).is_err(), "{action}");
        }
    }
}
