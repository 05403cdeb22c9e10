//! Changes of a head.

use telamon_http::normalize::Normalizer;
use telamon_http::Message;

use crate::fetches::list_parts;
use crate::regex::Regex;
use crate::vars::Vars;

/// A change of the head, made from values that were read before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Nothing,
    Add(Vec<u8>, Vec<u8>),
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<Vec<u8>>),
    Lines(Vec<u8>, Vec<Option<Vec<u8>>>),
    Method(Vec<u8>),
    Path(Vec<u8>, bool),
    Query(Vec<u8>),
    Uri(Vec<u8>),
    Normalized(Normalizer),
    Status(u16, Vec<u8>),
}

impl Edit {
    pub(crate) fn apply(self, head: &mut Message) {
        match self {
            Edit::Nothing => {}
            Edit::Add(name, value) => head.add_field(&name, &value),
            Edit::Set(name, value) => head.set_field(&name, &value),
            Edit::Delete(names) => {
                head.remove_fields(|field| names.iter().any(|name| name == field.name));
            }
            Edit::Lines(name, values) => {
                let mut values = values.into_iter();
                let next = std::cell::RefCell::new(&mut values);
                head.change_lines(&name, |_| next.borrow_mut().next().flatten());
            }
            Edit::Method(method) => head.set_method(&method),
            Edit::Path(path, query) => head.set_path(&path, query),
            Edit::Query(query) => head.set_query(&query),
            Edit::Uri(uri) => head.set_uri(&uri),
            Edit::Normalized(normalizer) => {
                // What cannot be was told before (`Verdict::BadUri`).
                let _ = head.normalize(normalizer);
            }
            Edit::Status(status, reason) => head.set_status(status, &reason),
        }
    }
}

/// A value that a rule writes ends no line of the head: line ends and NUL become blanks.
pub(crate) fn clean(mut value: Vec<u8>) -> Vec<u8> {
    for byte in &mut value {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
    value
}

/// Each of a line's values that matches is written anew, without the blanks around it; the others
/// stay as they are. None without a match.
pub(super) fn replace_values(
    line: &[u8],
    regex: &Regex,
    by: &[u8],
    vars: &Vars,
) -> Option<Vec<u8>> {
    let mut changed = false;
    let parts: Vec<Vec<u8>> = list_parts(line)
        .map(|part| match regex.groups(part.trim_ascii(), by, vars) {
            Some(new) => {
                changed = true;
                new
            }
            None => part.to_vec(),
        })
        .collect();
    changed.then(|| parts.join(&b','))
}
