//! Whose this process is, when it runs in a pod.
//!
//! A Lease must go when Keelson is uninstalled, also by somebody who skips every hook, and it must not go when a pod does.
//! The ServiceAccount is as old as the installation, and its uid is in the token that every pod of it is given: so Leases
//! belong to it, and nobody has to be asked for that.
//!
//! Promises: what the token says is used for nothing but this; outside a pod there is no owner, and that is no error.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

/// Where Kubernetes puts a pod's token.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The ServiceAccount that this process runs as, as an owner of objects in its own namespace.
#[must_use]
pub fn owner(namespace: &str) -> Option<OwnerReference> {
    named(&std::fs::read_to_string(TOKEN).ok()?, namespace)
}

/// The account that a token is of; none when it is of another namespace, where nothing of ours could belong to it.
fn named(token: &str, namespace: &str) -> Option<OwnerReference> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let of = claims.get("kubernetes.io")?;
    if of.get("namespace")? != namespace {
        return None;
    }
    let word = |field: &str| of.get("serviceaccount")?.get(field)?.as_str().map(str::to_owned);
    Some(OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        name: word("name")?,
        uid: word("uid")?,
        ..OwnerReference::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_account_of_a_token_owns_what_is_in_its_namespace() {
        let claims = json!({"kubernetes.io": {"namespace": "keelson-system",
            "serviceaccount": {"name": "keelson", "uid": "7a"}}});
        let token = format!("e30.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        let owner = named(&token, "keelson-system").unwrap();
        assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str()), ("ServiceAccount", "keelson", "7a"));
        assert_eq!(named(&token, "elsewhere"), None);
        assert_eq!(named("no.token", "keelson-system"), None);
    }
}
