//! Whom a token stands for and what they may do: the cluster says it.
//!
//! Both are asked with the page's own rights to ask (`create` on tokenreviews and subjectaccessreviews), about the caller by
//! name: what the page itself may see plays no part.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keelson_dashboard::access::{AUDIENCE, Authorizer, Caller, Reviewer, Right, Unknown};
use kube::api::{Api, PostParams};

/// The cluster behind the page.
pub(super) struct Cluster {
    tokens: Api<TokenReview>,
    rights: Api<SubjectAccessReview>,
}

impl Cluster {
    pub(super) fn new(client: kube::Client) -> Self {
        Self { tokens: Api::all(client.clone()), rights: Api::all(client) }
    }
}

#[async_trait]
impl Reviewer for Cluster {
    async fn who(&self, token: &str) -> Result<Option<Caller>, Unknown> {
        let review = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec { token: token.to_owned(), audiences: Some(vec![AUDIENCE.to_owned()]) },
            status: None,
        };
        let answer = self.tokens.create(&PostParams::default(), &review).await.map_err(away)?;
        let status = answer.status.unwrap_or_default();
        // A cluster that knows no audiences names none: then nobody says that the token is meant for us.
        let is_ours = status.audiences.iter().flatten().any(|audience| audience == AUDIENCE);
        let user = status.user.filter(|_| status.authenticated == Some(true) && is_ours);
        Ok(user.and_then(caller))
    }
}

/// A user with a name; without one nobody is meant.
fn caller(user: UserInfo) -> Option<Caller> {
    Some(Caller {
        user: user.username.filter(|name| !name.is_empty())?,
        groups: user.groups.unwrap_or_default(),
        uid: user.uid.unwrap_or_default(),
        extra: user.extra.unwrap_or_default(),
    })
}

#[async_trait]
impl Authorizer for Cluster {
    async fn allows(&self, caller: &Caller, right: &Right) -> Result<bool, Unknown> {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut spec = SubjectAccessReviewSpec {
            user: Some(caller.user.clone()),
            groups: Some(caller.groups.clone()),
            uid: filled(&caller.uid),
            extra: Some(caller.extra.clone()).filter(|extra: &BTreeMap<_, _>| !extra.is_empty()),
            ..SubjectAccessReviewSpec::default()
        };
        match right {
            Right::Path(path) => {
                let (path, verb) = (Some(path.clone()), Some("get".to_owned()));
                spec.non_resource_attributes = Some(NonResourceAttributes { path, verb });
            }
            Right::Resource { verb, group, resource, namespace, name } => {
                spec.resource_attributes = Some(ResourceAttributes {
                    verb: Some((*verb).to_owned()),
                    group: filled(group),
                    resource: Some(resource.clone()),
                    namespace: filled(namespace),
                    name: filled(name),
                    ..ResourceAttributes::default()
                });
            }
        }
        let review = SubjectAccessReview { metadata: ObjectMeta::default(), spec, status: None };
        let answer = self.rights.create(&PostParams::default(), &review).await.map_err(away)?;
        // A verdict that was reached only in part allows nothing.
        Ok(answer.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
    }
}

fn away(error: kube::Error) -> Unknown {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Unknown(format!("the cluster does not let Keelson ask ({}); see docs/sign-in.md", status.message))
        }
        kube::Error::Api(status) => Unknown(format!("the API server says: {}", status.message)),
        _ => Unknown("the API server does not answer".to_owned()),
    }
}
