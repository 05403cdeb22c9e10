//! Converters: a table of rows, by family (manual 7.3.1).

use telamon_plan::rules::Call;

use crate::args::Args;
use crate::calls;
use crate::compile::Compiler;
use crate::env::Env;
use crate::sample::Sample;

mod chunks;
mod ciphers;
mod dates;
mod encodings;
mod escapes;
mod fix;
mod forwarded;
mod hashes;
mod json;
mod jwt;
mod languages;
mod lookups;
mod maps;
mod mqtt;
mod numbers;
mod pieces;
mod protobuf;
mod secrets;
mod signatures;
mod texts;

use encodings::encode_base64;
pub(crate) use encodings::{decode_base64, decode_base64url};
pub(crate) use jwt::PublicKeys;

pub(crate) type Converter =
    Box<dyn for<'e> Fn(&Env<'e>, Sample<'e>) -> Option<Sample<'e>> + Send + Sync>;

type Made = Result<Converter, String>;

/// One row: the name, and how its arguments become a converter.
pub(crate) struct Row {
    name: &'static str,
    make: fn(Args<'_>, &mut Compiler) -> Made,
}

const fn by(name: &'static str, make: fn(Args<'_>, &mut Compiler) -> Made) -> Row {
    Row { name, make }
}

const FAMILIES: [&[Row]; 17] = [
    chunks::ROWS,
    ciphers::ROWS,
    dates::ROWS,
    encodings::ROWS,
    fix::ROWS,
    forwarded::ROWS,
    hashes::ROWS,
    json::ROWS,
    jwt::ROWS,
    languages::ROWS,
    lookups::ROWS,
    maps::ROWS,
    mqtt::ROWS,
    numbers::ROWS,
    pieces::ROWS,
    protobuf::ROWS,
    texts::ROWS,
];

pub(crate) fn names() -> Vec<&'static str> {
    let rows = FAMILIES.iter().flat_map(|rows| rows.iter());
    rows.map(|row| row.name).collect()
}

pub(crate) fn compile(call: &Call, compiler: &mut Compiler) -> Result<Converter, String> {
    if let Some(name) = call.name.strip_prefix(calls::PREFIX) {
        compiler.calls_made = true;
        let function = calls::function(calls::Kind::Converter, name, Args(&call.arguments));
        return boxed(move |env, sample| calls::value(env, &function, Some(sample)));
    }
    let row = FAMILIES
        .iter()
        .flat_map(|rows| rows.iter())
        .find(|row| row.name == call.name)
        .ok_or("known to HAProxy, not yet to Telamon")?;
    (row.make)(Args(&call.arguments), compiler)
}

fn boxed(
    convert: impl for<'e> Fn(&Env<'e>, Sample<'e>) -> Option<Sample<'e>> + Send + Sync + 'static,
) -> Made {
    Ok(Box::new(convert))
}

/// A function of the text.
fn on_text(convert: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Made {
    boxed(move |_, sample| convert(&sample.into_text()).map(Sample::owned))
}

/// A function of the bytes with a number as its result.
fn to_number(convert: impl Fn(&[u8]) -> i64 + Send + Sync + 'static) -> Made {
    boxed(move |_, sample| Some(Sample::Int(convert(&sample.into_bytes()))))
}
