//! Who is asking, and what they may see.
//!
//! Keelson knows no users of its own. Who somebody is, the cluster says (a token is reviewed), an identity provider (OIDC) or
//! a proxy that proves itself; what they may see, the cluster alone says, asked with *their* name and never with ours: a
//! decision is shown to those who may `get` the object that it is about, in its namespace.
//!
//! | room | idea |
//! |---|---|
//! | [`Right`] | what must be allowed to see an object or to turn a switch |
//! | `gate` | from the headers of a request to a caller, or why not |
//! | `sessions` | browsers that signed in |
//! | `viewer` | what one caller is shown of an answer |
//! | `memo`, `places` | what was answered a moment ago; how much one caller may do at once |
//!
//! Promises: what cannot be judged is refused; tokens are remembered by their hash, verdicts for [`TOKEN_FOR`] and
//! [`RIGHT_FOR`] at most; everything that is remembered is bounded.

mod gate;
pub(crate) mod memo;
mod places;
mod right;
mod sessions;
mod viewer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use gate::foreign;
pub(crate) use gate::{Gate, random};
pub(crate) use places::{Place, Places};
pub use right::Right;
pub use sessions::LONGEST;
pub(crate) use viewer::Viewer;

/// The audience that a token must be for: one for the API server opens nothing here, and one for here nothing there.
pub const AUDIENCE: &str = "keelson";
/// How long the verdict on a token holds.
pub const TOKEN_FOR: Duration = Duration::from_secs(60);
/// How long the verdict on a right holds.
pub const RIGHT_FOR: Duration = Duration::from_secs(30);
/// How often an open stream asks again who it is for.
pub const AGAIN_EVERY: Duration = Duration::from_secs(15);

/// Somebody who is known by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The name, as RBAC knows it.
    pub user: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// Their uid; empty when unknown.
    pub uid: String,
    /// More that authorizers may want to know.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why nothing can be said: whoever knows does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

/// Says whom a token stands for: a TokenReview.
#[async_trait]
pub trait Reviewer: Send + Sync + 'static {
    /// The caller of a token for the audience [`AUDIENCE`]; none when it stands for nobody, or is for somebody else.
    ///
    /// # Errors
    /// When the cluster does not answer.
    async fn who(&self, token: &str) -> Result<Option<Caller>, Unknown>;
}

/// Says what a caller may do: a SubjectAccessReview.
#[async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Whether the caller, and nobody else, has the right.
    ///
    /// # Errors
    /// When the cluster does not answer.
    async fn allows(&self, caller: &Caller, right: &Right) -> Result<bool, Unknown>;
}

/// An identity provider: OpenID Connect's authorization code flow.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Where a browser is sent to sign in.
    ///
    /// # Errors
    /// When the provider does not answer.
    async fn begin(&self, ask: &Ask) -> Result<String, Unknown>;

    /// Whom the code that the browser came back with stands for, and for how long; none when for nobody.
    ///
    /// # Errors
    /// When the provider does not answer.
    async fn finish(&self, code: &str, ask: &Ask) -> Result<Option<(Caller, Duration)>, Unknown>;
}

/// The secrets of one sign-in, which only the browser that began it has.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    /// Comes back with the code.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Proves that the code comes from where the sign-in began (PKCE).
    pub verifier: String,
}

/// How people sign in.
#[derive(Clone)]
pub enum SignIn {
    /// With a token, reviewed by the cluster.
    Token,
    /// At an identity provider.
    Oidc(Arc<dyn Provider>),
    /// At a proxy, which says who it is for and proves itself by this secret in the header `X-Keelson-Proxy-Secret`.
    Proxy(String),
}

/// Everything that is needed to know who is asking.
#[derive(Clone)]
pub struct Access {
    /// How people sign in.
    pub sign_in: SignIn,
    /// Knows tokens.
    pub reviewer: Arc<dyn Reviewer>,
    /// Knows rights.
    pub authorizer: Arc<dyn Authorizer>,
}

/// How people sign in, as the page is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Not at all: this machine alone is answered.
    None,
    /// With a token.
    Token,
    /// At an identity provider.
    Oidc,
    /// At the proxy in front.
    Proxy,
}

/// The namespaces whose pods somebody may see: what sums and lists over all of them are made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Every one, also those to come.
    Everything,
    /// These.
    Only(Arc<BTreeSet<String>>),
}

impl Seen {
    /// Whether what is in this namespace may be told.
    #[must_use]
    pub fn has(&self, namespace: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(namespaces) => namespaces.contains(namespace),
        }
    }
}
