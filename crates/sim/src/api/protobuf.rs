//! Bodies in protobuf, for the few kinds whose clients write nothing else.

use bytes::Bytes;
use serde_json::Value;

use super::status::Failure;

/// Reads the envelope.
pub(crate) fn decode(_bytes: &Bytes) -> Result<Value, Failure> {
    Err(Failure::new(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml",
    ))
}
