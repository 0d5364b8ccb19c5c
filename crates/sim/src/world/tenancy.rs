//! What comes with a namespace: its `default` service account. (What its quotas have used is the API's own count.)

use super::agenda::Role;
use super::desk::{Desk, Looked};
use super::kinds::{NAMESPACES, SERVICE_ACCOUNTS};
use super::read::{Key, is_leaving, name, namespace};
use crate::objects::{Event, Write};
use crate::tree::json;

/// Looks at new namespaces, and at those that lost their account.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == NAMESPACES && !event.deleted {
        desk.soon(Role::Namespace, Key::cluster(name(&event.object)));
    } else if event.resource == SERVICE_ACCOUNTS && event.deleted {
        desk.soon(Role::Namespace, Key::cluster(namespace(&event.object)));
    }
}

/// One look at a namespace.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(_) = desk.get(NAMESPACES, key).filter(|namespace| !is_leaving(namespace)) else { return Ok(()) };
    if desk.get(SERVICE_ACCOUNTS, &Key::new(&key.name, "default")).is_some() {
        return Ok(());
    }
    let metadata = json!({"namespace": key.name, "name": "default"});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    desk.write(Write::Create(SERVICE_ACCOUNTS, account)).map(drop)
}
