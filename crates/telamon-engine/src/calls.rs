//! What a Python function is told of the request that calls it.

use telamon_expr::{Call, CallKind, Facts, Sample, VariableNames, Vars};
use telamon_http::Message;

use crate::seen::Seen;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A call for Python to make. A converter sees nothing but its input.
#[derive(Debug)]
pub struct CallRequest {
    pub token: u64,
    pub call: Call,
    pub view: Option<View>,
}

#[derive(Debug)]
pub struct View {
    pub request: RequestView,
    pub response: Option<ResponseView>,
    /// "ADDRESS:PORT", or "unix".
    pub client: String,
    pub frontend: String,
    /// Empty as long as none is chosen.
    pub backend: String,
    pub variables: Vec<(String, Sample<'static>)>,
}

#[derive(Debug)]
pub struct RequestView {
    pub method: Vec<u8>,
    pub uri: Vec<u8>,
    /// As in "1.1".
    pub version: String,
    pub fields: Fields,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct ResponseView {
    pub status: u16,
    pub reason: Vec<u8>,
    pub fields: Fields,
    pub body: Vec<u8>,
}

/// What a function of this kind is shown: heads, each with what was buffered of its body. `reply` is
/// empty in request rules.
pub(crate) fn view(
    kind: CallKind,
    (request, body): (&Message, &[u8]),
    (reply, reply_body): (&Message, &[u8]),
    seen: &Seen,
    vars: &Vars,
    names: &VariableNames,
) -> Option<View> {
    if kind == CallKind::Converter {
        return None;
    }
    let passed = seen.names();
    let version = request.version();
    let source = seen.source();
    Some(View {
        request: RequestView {
            method: request.method().to_vec(),
            uri: request.uri().to_vec(),
            version: format!("{}.{}", version.major, version.minor),
            fields: fields(request),
            body: body.to_vec(),
        },
        response: (!reply.is_empty()).then(|| ResponseView {
            status: reply.status(),
            reason: reply.reason().to_vec(),
            fields: fields(reply),
            body: reply_body.to_vec(),
        }),
        client: source.map_or_else(|| "unix".to_owned(), |address| address.to_string()),
        frontend: passed.frontend.0.to_owned(),
        backend: passed
            .backend
            .map_or_else(String::new, |one| one.0.to_owned()),
        variables: names.values(vars),
    })
}

fn fields(head: &Message) -> Fields {
    head.fields()
        .map(|field| (field.name.to_vec(), field.value.to_vec()))
        .collect()
}
