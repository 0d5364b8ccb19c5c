//! What stands between a request and the store.
//!
//! Upstream's plugins that decide what a scheduler, an autoscaler or an operator sees: Priority, LimitRanger,
//! ServiceAccount, DefaultTolerationSeconds, ResourceQuota, and the policies written in CEL.

mod limits;
mod pods;
mod policy;
pub(crate) mod quota;

use super::{
    Api,
    request::{Call, Verb},
    status::Failure,
};
use crate::tree::Value;

/// Lets the mutating plugins complete an object.
pub(crate) fn mutate(api: &Api, call: &Call, object: &mut Value, old: Option<&Value>) -> Result<(), Failure> {
    if call.kind.is("", "pods") && old.is_none() {
        pods::priority(api, call, object)?;
        pods::service_account(api, call, object)?;
        pods::tolerations(object);
        limits::fill_in(api, call, object);
    }
    policy::mutate(api, call, object, old)
}

/// Lets the policies change or refuse what is asked of a subresource and not stored itself: a binding, an eviction.
pub(crate) fn review(api: &Api, call: &Call, asked: &Value) -> Result<Value, Failure> {
    let mut object = asked.clone();
    policy::mutate(api, call, &mut object, None)?;
    policy::validate(api, call, &object, None)?;
    Ok(object)
}

/// Lets the validating plugins refuse it. A deletion hands in null and the old object.
pub(crate) fn validate(api: &Api, call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Failure> {
    if matches!(call.verb, Verb::Delete | Verb::DeleteCollection) {
        return policy::validate(api, call, object, old);
    }
    if old.is_none() {
        limits::check(api, call, object)?;
    }
    policy::validate(api, call, object, old)?;
    quota::check(api, call, object, old)
}
