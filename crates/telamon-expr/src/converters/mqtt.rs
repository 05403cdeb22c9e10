//! The first messages of MQTT 3.1, 3.1.1 and 5.0: CONNECT and CONNACK.
//!
//! ```text
//! type and flags, length (varint) │ CONNECT: name, version, flags, keep-alive, (5.0: properties),
//!                                 │   client id, will (5.0: properties, topic, payload), user, password
//!                                 │ CONNACK: flags, reason, (5.0: properties)
//! ```

use std::collections::BTreeMap;

use super::{boxed, by, Row};
use crate::sample::Sample;

pub(super) const ROWS: &[Row] = &[
    by("mqtt_field_value", |args, _| {
        let packet = args.string(0).ok_or("a packet's type is missing")?;
        let kind = match packet.to_ascii_uppercase().as_str() {
            "CONNECT" | "1" => CONNECT,
            "CONNACK" | "2" => CONNACK,
            _ => {
                return Err(format!(
                    "fields of '{packet}' cannot be had: write CONNECT or CONNACK"
                ))
            }
        };
        let name = args
            .string(1)
            .ok_or("a field is missing")?
            .to_ascii_lowercase();
        let fields = if kind == CONNECT {
            CONNECT_FIELDS
        } else {
            CONNACK_FIELDS
        };
        let named = fields
            .iter()
            .find(|field| **field == name)
            .map(|name| Field::Named(name));
        let property = || {
            let id = name.parse().ok()?;
            let known = PROPERTIES.iter().find(|known| known.0 == id)?;
            known.2.contains(&kind).then_some(Field::Property(id))
        };
        let wanted = named.or_else(property);
        let wanted = wanted.ok_or_else(|| format!("{packet} has no field '{name}'"))?;
        boxed(move |_, sample| {
            let message = parse(&sample.into_bytes()).ok()?;
            let value = message.fields.get(&wanted).cloned();
            let absent = || match wanted {
                // A number that a message of 5.0 leaves out is 0.
                Field::Property(id) if message.kind == kind && message.version == 5 => {
                    let known = PROPERTIES.iter().find(|known| known.0 == id)?;
                    (!matches!(known.1, Kind::Bytes)).then(|| b"0".to_vec())
                }
                _ => None,
            };
            let value = value.filter(|_| message.kind == kind).or_else(absent)?;
            Some(Sample::owned(value))
        })
    }),
    by("mqtt_is_valid", |_, _| {
        boxed(|_, sample| match parse(&sample.into_bytes()) {
            Ok(_) => Some(Sample::Bool(true)),
            Err(Bad::Other) => Some(Sample::Bool(false)),
            Err(Bad::Short) => None,
        })
    }),
];

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;

const CONNECT_FIELDS: &[&str] = &[
    "flags",
    "protocol_name",
    "protocol_version",
    "client_identifier",
    "will_topic",
    "will_payload",
    "username",
    "password",
    "keepalive",
];
const CONNACK_FIELDS: &[&str] = &["flags", "protocol_version", "reason_code"];

/// Bits of CONNECT's flags.
const RESERVED: u8 = 1;
const WILL: u8 = 4;
const PASSWORD: u8 = 64;
const USER: u8 = 128;

/// How a property is written.
#[derive(Clone, Copy)]
enum Kind {
    /// So many bytes.
    Number(usize),
    Bytes,
    Pair,
    Varint,
}

/// Properties (MQTT 5.0, 2.2.2.2), and in which of the two packets they may stand.
const PROPERTIES: &[(u8, Kind, &[u8])] = &[
    (1, Kind::Number(1), &[CONNECT]),
    (2, Kind::Number(4), &[CONNECT]),
    (3, Kind::Bytes, &[CONNECT]),
    (8, Kind::Bytes, &[CONNECT]),
    (9, Kind::Bytes, &[CONNECT]),
    (11, Kind::Varint, &[]),
    (17, Kind::Number(4), &[CONNECT, CONNACK]),
    (18, Kind::Bytes, &[CONNACK]),
    (19, Kind::Number(2), &[CONNACK]),
    (21, Kind::Bytes, &[CONNECT, CONNACK]),
    (22, Kind::Bytes, &[CONNECT, CONNACK]),
    (23, Kind::Number(1), &[CONNECT]),
    (24, Kind::Number(4), &[CONNECT]),
    (25, Kind::Number(1), &[CONNECT]),
    (26, Kind::Bytes, &[CONNACK]),
    (28, Kind::Bytes, &[CONNACK]),
    (31, Kind::Bytes, &[CONNACK]),
    (33, Kind::Number(2), &[CONNECT, CONNACK]),
    (34, Kind::Number(2), &[CONNECT, CONNACK]),
    (36, Kind::Number(1), &[CONNACK]),
    (37, Kind::Number(1), &[CONNACK]),
    (38, Kind::Pair, &[]),
    (39, Kind::Number(4), &[CONNECT, CONNACK]),
    (40, Kind::Number(1), &[CONNACK]),
    (41, Kind::Number(1), &[CONNACK]),
    (42, Kind::Number(1), &[CONNACK]),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Field {
    Named(&'static str),
    Property(u8),
}

#[derive(Debug)]
struct Message {
    kind: u8,
    version: u8,
    fields: BTreeMap<Field, Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Bad {
    /// More bytes are needed.
    Short,
    Other,
}

impl Message {
    fn put(&mut self, name: &'static str, value: impl Into<Vec<u8>>) {
        self.fields.insert(Field::Named(name), value.into());
    }
}

fn parse(bytes: &[u8]) -> Result<Message, Bad> {
    let first = *bytes.first().ok_or(Bad::Short)?;
    if first & 15 != 0 || !(CONNECT..=CONNACK).contains(&(first >> 4)) {
        return Err(Bad::Other);
    }
    let mut all = Reader(&bytes[1..]);
    let length = all.varint()?;
    let mut body = Reader(all.take(length).map_err(|_| Bad::Short)?);
    let mut message = Message {
        kind: first >> 4,
        version: 0,
        fields: BTreeMap::new(),
    };
    let done = match message.kind {
        CONNECT => connect(&mut body, &mut message),
        _ => connack(&mut body, &mut message),
    };
    // What is missing within the announced length will not come.
    match done {
        Ok(()) if body.0.is_empty() => Ok(message),
        _ => Err(Bad::Other),
    }
}

fn connect(body: &mut Reader<'_>, message: &mut Message) -> Result<(), Bad> {
    let name = body.counted()?;
    let version = body.byte()?;
    if !matches!((name, version), (b"MQIsdp", 3) | (b"MQTT", 4 | 5)) {
        return Err(Bad::Other);
    }
    message.version = version;
    let flags = body.byte()?;
    if flags & RESERVED != 0 {
        return Err(Bad::Other);
    }
    message.put("protocol_name", name);
    message.put("protocol_version", version.to_string());
    message.put("flags", flags.to_string());
    message.put("keepalive", body.number(2)?.to_string());
    body.properties(message)?;
    message.put("client_identifier", body.counted()?);
    if flags & WILL != 0 {
        body.properties(message)?;
        message.put("will_topic", body.counted()?);
        message.put("will_payload", body.counted()?);
    }
    if flags & USER != 0 {
        message.put("username", body.counted()?);
    }
    if flags & PASSWORD != 0 {
        message.put("password", body.counted()?);
    }
    Ok(())
}

fn connack(body: &mut Reader<'_>, message: &mut Message) -> Result<(), Bad> {
    let flags = body.byte()?;
    if flags > 1 {
        return Err(Bad::Other);
    }
    message.put("flags", flags.to_string());
    message.put("reason_code", body.byte()?.to_string());
    // Only 5.0 has more.
    message.version = if body.0.is_empty() { 4 } else { 5 };
    message.put("protocol_version", message.version.to_string());
    body.properties(message)
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Bad> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Bad::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Bad> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self, width: usize) -> Result<u64, Bad> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn counted(&mut self) -> Result<&'b [u8], Bad> {
        let length = self.number(2)? as usize;
        self.take(length)
    }

    /// At most four bytes of seven bits, the lowest first.
    fn varint(&mut self) -> Result<usize, Bad> {
        let mut sum = 0;
        for at in 0..4 {
            let byte = self.byte()?;
            sum |= usize::from(byte & 127) << (7 * at);
            if byte & 128 == 0 {
                return Ok(sum);
            }
        }
        Err(Bad::Other)
    }

    /// Only 5.0 has them.
    fn properties(&mut self, message: &mut Message) -> Result<(), Bad> {
        if message.version != 5 {
            return Ok(());
        }
        let length = self.varint()?;
        let mut list = Reader(self.take(length)?);
        while !list.0.is_empty() {
            let id = list.byte()?;
            let known = PROPERTIES
                .iter()
                .find(|known| known.0 == id)
                .ok_or(Bad::Other)?;
            let value = match known.1 {
                Kind::Number(width) => list.number(width)?.to_string().into_bytes(),
                Kind::Varint => list.varint()?.to_string().into_bytes(),
                Kind::Bytes => list.counted()?.to_vec(),
                Kind::Pair => {
                    list.counted()?;
                    list.counted()?.to_vec()
                }
            };
            message.fields.insert(Field::Property(id), value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT_4: &[u8] = b"\x10\x23\x00\x04MQTT\x04\xc6\x00\x3c\x00\x03cid\x00\x02wt\x00\x02wp\
        \x00\x04user\x00\x04pass";

    #[test]
    fn a_connect_is_whole_or_short() {
        let message = parse(CONNECT_4).unwrap();
        let field = |name| message.fields.get(&Field::Named(name)).map(Vec::as_slice);
        assert_eq!(field("client_identifier"), Some(&b"cid"[..]));
        assert_eq!(field("password"), Some(&b"pass"[..]));
        assert_eq!(field("keepalive"), Some(&b"60"[..]));
        for end in 0..CONNECT_4.len() {
            assert_eq!(parse(&CONNECT_4[..end]).err(), Some(Bad::Short), "{end}");
        }
    }

    #[test]
    fn lengths_that_lie_are_other() {
        let mut lies = CONNECT_4.to_vec();
        lies[1] -= 1;
        assert_eq!(parse(&lies).err(), Some(Bad::Other));
        assert_eq!(parse(b"\x10\xff\xff\xff\xff\x01").err(), Some(Bad::Other));
        assert_eq!(parse(b"\xc0\x00").err(), Some(Bad::Other));
    }
}
