//! What stands between a request and the store.

use serde_json::Value;

use super::{Api, request::Call, status::Failure};

/// Lets the mutating plugins complete an object.
pub(crate) fn mutate(_api: &Api, _call: &Call, _object: &mut Value, _old: Option<&Value>) -> Result<(), Failure> {
    Ok(())
}

/// Lets the validating plugins refuse it.
pub(crate) fn validate(_api: &Api, _call: &Call, _object: &Value, _old: Option<&Value>) -> Result<(), Failure> {
    Ok(())
}
