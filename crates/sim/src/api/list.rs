//! Lists: whole, in pages, and as of an earlier number.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Api, base64,
    json::Json,
    render::Render,
    request::Call,
    select::Filter,
    status::{Cause, Failure},
    storage::{Key, Object},
};
use crate::tree::{Value, json};

struct Page {
    rv: u64,
    after: Key,
}

impl Api {
    pub(super) fn list(&self, call: &Call, render: &Render) -> Result<Bytes, Failure> {
        let filter = Filter::of(&call.kind, call.version, &call.query)?;
        let token = call.query.text("continue");
        let asked = call.query.text("limit");
        if !asked.is_empty() && call.query.number("limit").is_none() {
            return Err(Failure::bad_request(format!("strconv.ParseInt: parsing {asked:?}: invalid syntax")));
        }
        let limit = usize::try_from(call.query.number("limit").unwrap_or(0)).unwrap_or(0);
        let page = if token.is_empty() { None } else { Some(read_token(token)?) };
        let (rv, source) = self.objects_as_asked(call, page.as_ref())?;
        let after = page.as_ref().map(|page| &page.after);
        let mut picked: Vec<Arc<Object>> = Vec::new();
        let mut more = 0;
        for object in source {
            if after.is_some_and(|after| object.key() <= after) || !filter.matches(&object.value) {
                continue;
            }
            if limit > 0 && picked.len() == limit {
                more += 1;
            } else {
                picked.push(object);
            }
        }
        let mut metadata = json!({"resourceVersion": rv.to_string()});
        if let (true, Some(last)) = (more > 0, picked.last()) {
            metadata.put(&["continue"], write_token(rv, last.key()));
            if call.query.text("labelSelector").is_empty() && call.query.text("fieldSelector").is_empty() {
                metadata.put(&["remainingItemCount"], more);
            }
        }
        Ok(render.list(&picked, &metadata))
    }

    /// The objects, in order, at the number that the request wants.
    fn objects_as_asked(&self, call: &Call, page: Option<&Page>) -> Result<(u64, Vec<Arc<Object>>), Failure> {
        let resource = call.kind.storage;
        let current = self.store.rv();
        let wanted = call.query.text("resourceVersion");
        let exact = match page {
            Some(page) => Some(page.rv),
            None if call.query.text("resourceVersionMatch") == "Exact" => Some(parse_version(wanted)?),
            None => {
                if !wanted.is_empty() {
                    let least = parse_version(wanted)?;
                    if least > current {
                        return Err(too_large(least, current));
                    }
                }
                None
            }
        };
        match exact {
            Some(rv) if rv > current => Err(too_large(rv, current)),
            Some(rv) if rv != current => {
                let objects = self.store.list_at(resource, &call.namespace, rv).ok_or_else(|| match page {
                    Some(_) => Failure::gone(
                        "The provided continue parameter is too old to display a consistent list result. You can start a \
                         new list without the continue parameter, or use the continue token in this response to retrieve \
                         the remainder of the results.",
                    ),
                    None => Failure::gone(format!("The resourceVersion for the provided list is too old: {rv}")),
                })?;
                Ok((rv, objects.into_iter().cloned().collect()))
            }
            _ => Ok((current, self.store.list(resource, &call.namespace).cloned().collect())),
        }
    }
}

pub(crate) fn parse_version(text: &str) -> Result<u64, Failure> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        Failure::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: \
             invalid syntax"
        ))
    })
}

pub(crate) fn too_large(wanted: u64, current: u64) -> Failure {
    Failure::new(504, "Timeout", format!("Timeout: Too large resource version: {wanted}, current: {current}"))
        .with_causes(&[Cause {
            reason: "ResourceVersionTooLarge",
            field: String::new(),
            message: "Too large resource version".into(),
        }])
        .retry_after(1)
}

fn write_token(rv: u64, last: &Key) -> String {
    base64::encode(json!({"v": "meta.k8s.io/v1", "rv": rv, "start": [last.0, last.1]}).to_string().as_bytes())
}

fn read_token(token: &str) -> Result<Page, Failure> {
    let read = || -> Option<Page> {
        let value: Value = serde_json::from_slice(&base64::decode(token)?).ok()?;
        let mut start = value.items(&["start"]).iter().map(|part| part.as_text().cloned());
        Some(Page { rv: value.get("rv")?.as_u64()?, after: (start.next()??, start.next()??) })
    };
    read().ok_or_else(|| {
        let odd = token.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'));
        let why = odd.map_or_else(
            || "it is none that this server wrote".to_owned(),
            |at| format!("illegal base64 data at input byte {at}"),
        );
        Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
    })
}
