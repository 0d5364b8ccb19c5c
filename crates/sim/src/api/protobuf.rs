//! Bodies in protobuf, for the few kinds whose clients write nothing else.
//!
//! kubectl asks `auth can-i` and helm stores its releases in protobuf and neither falls back to JSON. The envelope is
//! `k8s\0` and a `runtime.Unknown`; [`tables`] describes the messages inside.

mod tables;

use bytes::Bytes;

use self::tables::{Field, Table, table};
use super::{base64, json::Json, status::Failure};
use crate::tree::{Map, Value};

/// Reads the envelope and what is in it.
pub(crate) fn decode(bytes: &Bytes) -> Result<Value, Failure> {
    let unsupported = || {
        Failure::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json, \
             application/yaml",
        )
    };
    let inner = bytes.strip_prefix(b"k8s\0").ok_or_else(unsupported)?;
    let broken = || Failure::bad_request("the protobuf body ends in the middle of a field");
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Wire(inner) {
        match field.ok_or_else(broken)? {
            (1, Wired::Bytes(meta)) => {
                for field in Wire(meta) {
                    match field.ok_or_else(broken)? {
                        (1, Wired::Bytes(text)) => api_version = String::from_utf8_lossy(text).into_owned(),
                        (2, Wired::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Wired::Bytes(message)) => raw = message,
            _ => {}
        }
    }
    let table = table(&kind).ok_or_else(unsupported)?;
    let mut value = message(raw, table).map_err(|problem| match problem {
        Unreadable::Broken => broken(),
        Unreadable::Unknown => unsupported(),
    })?;
    value.put(&["apiVersion"], api_version);
    value.put(&["kind"], kind);
    Ok(value)
}

enum Wired<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; an item that is none marks a broken one and ends it.
struct Wire<'a>(&'a [u8]);

impl<'a> Iterator for Wire<'a> {
    type Item = Option<(u64, Wired<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Wire<'a> {
    fn field(&mut self) -> Option<(u64, Wired<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Wired::Number(self.varint()?),
            1 => Wired::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wired::Bytes(self.take(length)?)
            }
            5 => Wired::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// Why a message cannot be read.
enum Unreadable {
    /// It ends in the middle of a field.
    Broken,
    /// It says something the tables do not know: better refused than lost.
    Unknown,
}

fn message(bytes: &[u8], table: Table) -> Result<Value, Unreadable> {
    let mut out = Value::Object(Map::new());
    for field in Wire(bytes) {
        let (number, wired) = field.ok_or(Unreadable::Broken)?;
        let Some((_, name, how)) = table.iter().find(|(of, ..)| *of == number) else {
            // Go writes zero values too; those say nothing.
            match wired {
                Wired::Number(0) | Wired::Bytes([]) => continue,
                _ => return Err(Unreadable::Unknown),
            }
        };
        match (how, wired) {
            (Field::Some, Wired::Number(0)) => {}
            (Field::Int | Field::Some, Wired::Number(number)) => out.put(&[name], number.cast_signed()),
            (Field::Flag, Wired::Number(number)) => out.put(&[name], number != 0),
            (Field::Text, Wired::Bytes(text)) => {
                let text = String::from_utf8_lossy(text);
                if !text.is_empty() {
                    out.put(&[name], text.as_ref());
                }
            }
            (Field::Time, Wired::Bytes(bytes)) => {
                if let Some(time) = time(bytes).ok_or(Unreadable::Broken)? {
                    out.put(&[name], time);
                }
            }
            (Field::Message(table), Wired::Bytes(bytes)) => out.put(&[name], message(bytes, table)?),
            (Field::TextList, Wired::Bytes(text)) => {
                out.array(&[name]).push(String::from_utf8_lossy(text).as_ref().into());
            }
            (Field::List(table), Wired::Bytes(bytes)) => out.array(&[name]).push(message(bytes, table)?),
            (Field::TextMap, Wired::Bytes(bytes)) => {
                let (key, value) = entry(bytes).ok_or(Unreadable::Broken)?;
                out.put(&[name, &key], String::from_utf8_lossy(value).as_ref());
            }
            (Field::BytesMap, Wired::Bytes(bytes)) => {
                let (key, value) = entry(bytes).ok_or(Unreadable::Broken)?;
                out.put(&[name, &key], base64::encode(value));
            }
            (Field::QuantityMap, Wired::Bytes(bytes)) => {
                let (key, value) = entry(bytes).ok_or(Unreadable::Broken)?;
                let quantity = message(value, &[(1, "text", Field::Text)])?;
                out.put(&[name, &key], quantity.text(&["text"]));
            }
            (Field::IntOrText, Wired::Bytes(bytes)) => {
                let either =
                    message(bytes, &[(1, "kind", Field::Int), (2, "int", Field::Int), (3, "text", Field::Text)])?;
                let chosen = if either.int(&["kind"]) == Some(1) { "text" } else { "int" };
                out.put(&[name], either.at(&[chosen]).clone());
            }
            _ => {}
        }
    }
    Ok(out)
}

fn entry(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (mut key, mut value) = (String::new(), &[][..]);
    for field in Wire(bytes) {
        match field? {
            (1, Wired::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
            (2, Wired::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((key, value))
}

fn time(bytes: &[u8]) -> Option<Option<String>> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in Wire(bytes) {
        match field? {
            (1, Wired::Number(number)) => seconds = number.cast_signed(),
            (2, Wired::Number(number)) => nanos = number.cast_signed(),
            _ => {}
        }
    }
    // Go's zero time stands for none.
    if seconds <= 0 {
        return Some(None);
    }
    let micros = seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000);
    Some(Some(keelson_core::Timestamp(micros).to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::tree::json;

    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend(bytes);
        out
    }

    #[test]
    fn a_secret_in_an_envelope() {
        let meta = field(1, b"rel");
        let entry = [field(1, b"release"), field(2, b"\x00\x01")].concat();
        let secret = [field(1, &meta), field(2, &entry), field(3, b"helm.sh/release.v1")].concat();
        let type_meta = [field(1, b"v1"), field(2, b"Secret")].concat();
        let body = [b"k8s\0".to_vec(), field(1, &type_meta), field(2, &secret)].concat();
        assert_eq!(
            decode(&Bytes::from(body.clone())).unwrap(),
            json!({"metadata": {"name": "rel"}, "data": {"release": "AAE="}, "type": "helm.sh/release.v1", "apiVersion": "v1", "kind": "Secret"})
        );
        let cut = body.get(..body.len() - 3).unwrap().to_vec();
        assert_eq!(decode(&Bytes::from(cut)).unwrap_err().code, 400);
    }

    #[test]
    fn other_kinds_are_told_to_write_json() {
        let type_meta = [field(1, b"v1"), field(2, b"Node")].concat();
        let body = [b"k8s\0".to_vec(), field(1, &type_meta)].concat();
        assert_eq!(decode(&Bytes::from(body)).unwrap_err().code, 415);
    }
}
