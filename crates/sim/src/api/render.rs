//! How an object is written for a client: whole, as metadata only, or as rows of a table.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, header};
use keelson_core::Timestamp;

use super::{json::Json, kinds::Kind, request::Call, status::Failure, storage::Object};
use crate::tree::{Value, json};

/// What a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Metadata,
    Table,
}

/// The first form the client lists that we can write.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Failure> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    for media in accept.split(',') {
        let mut parts = media.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        if !matches!(name, "application/json" | "*/*" | "application/*" | "") {
            continue;
        }
        let options: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
        match options.get("as").copied() {
            None => return Ok(Form::Whole),
            Some("Table") if options.get("v") == Some(&"v1") => return Ok(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Ok(Form::Metadata),
            Some(_) => {}
        }
    }
    let mut failure = Failure::new(
        406,
        "NotAcceptable",
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
         application/vnd.kubernetes.protobuf, application/json;stream=watch, \
         application/vnd.kubernetes.protobuf;stream=watch",
    );
    failure.details = Some(json!({}));
    Err(failure)
}

/// Writes objects of a kind for one client.
#[derive(Debug, Clone)]
pub(crate) struct Render {
    pub kind: Arc<Kind>,
    pub version: &'static str,
    pub form: Form,
    /// Tables tell ages.
    pub now: Timestamp,
    /// `Metadata`, `Object` or `None`: what a table row carries.
    include: String,
}

impl Render {
    pub fn new(call: &Call, form: Form) -> Self {
        let include = call.query.text("includeObject").to_owned();
        Self { kind: Arc::clone(&call.kind), version: call.version, form, now: call.now, include }
    }

    /// The object under the version that was asked for.
    pub fn converted(&self, value: &Value) -> Value {
        let mut value = value.clone();
        if self.kind.group == "events.k8s.io" {
            return super::events::to_new(value);
        }
        value.put(&["apiVersion"], self.kind.api_version(self.version));
        value
    }

    fn as_stored(&self) -> bool {
        self.kind.group != "events.k8s.io" && self.kind.api_version(self.version) == self.kind.storage_version()
    }

    /// One object.
    pub fn object(&self, object: &Object, with_columns: bool) -> Bytes {
        match self.form {
            Form::Whole if self.as_stored() => object.json().clone(),
            Form::Whole => Bytes::from(self.converted(&object.value).to_string()),
            Form::Metadata => Bytes::from(metadata(&object.value, "PartialObjectMetadata").to_string()),
            Form::Table => {
                let mut table = super::table::columns(&self.kind, self.version, with_columns);
                table.put(&["metadata", "resourceVersion"], object.value.at(&["metadata", "resourceVersion"]).clone());
                table.put(&["rows"], vec![self.row(&object.value)]);
                Bytes::from(table.to_string())
            }
        }
    }

    fn row(&self, value: &Value) -> Value {
        let carried = match self.include.as_str() {
            "None" => Value::Null,
            "Object" => self.converted(value),
            _ => metadata(value, "PartialObjectMetadata"),
        };
        json!({"cells": super::table::cells(&self.kind, self.version, value, self.now), "object": carried})
    }

    /// A list; `metadata` is its list metadata.
    pub fn list(&self, objects: &[Arc<Object>], metadata_of_list: &Value) -> Bytes {
        if self.form == Form::Table {
            let mut table = super::table::columns(&self.kind, self.version, true);
            table.put(&["metadata"], metadata_of_list.clone());
            let rows: Vec<Value> = objects.iter().map(|object| self.row(&object.value)).collect();
            table.put(&["rows"], rows);
            return Bytes::from(table.to_string());
        }
        let (kind, api_version) = match self.form {
            Form::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1".to_owned()),
            _ => (self.kind.list_kind, self.kind.api_version(self.version)),
        };
        let head =
            format!("{{\"kind\":{kind:?},\"apiVersion\":{api_version:?},\"metadata\":{metadata_of_list},\"items\":[");
        let mut out =
            BytesMut::with_capacity(head.len() + objects.iter().map(|one| one.json().len() + 1).sum::<usize>());
        out.put_slice(head.as_bytes());
        for (index, object) in objects.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            match self.form {
                // Items of a built-in list do not repeat what the list says.
                Form::Whole if self.kind.crd.is_none() && self.as_stored() => out.put_slice(object.untyped_json()),
                _ => out.put_slice(&self.object(object, false)),
            }
        }
        out.put_slice(b"]}");
        out.freeze()
    }
}

fn metadata(value: &Value, kind: &str) -> Value {
    json!({"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": value.at(&["metadata"])})
}
