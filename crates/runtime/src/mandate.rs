//! Under which Lease a task acts.
//!
//! Whoever acts as a leader carries its mandate along: every call shows the fence, and none is made once the Lease has run
//! out by this process' own clock. A process that was stopped in the middle of an action, and goes on long after another
//! took over, learns from its timers only that something is due; the mandate has run out before any of them is heard.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::USER_AGENT;
use http::{HeaderValue, Request};
use keelson_core::Feature;
use kube::core::request::Error as BuildError;
use tokio::time::Instant;

use crate::user_agent;

/// Why something was not sent.
pub(crate) const RUN_OUT: &str = "not sent: the Lease has run out";

tokio::task_local! {
    static MANDATE: Mandate;
}

/// Until when a feature may be led unless the Lease is renewed; without an end when there is no Lease. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Term(Arc<Mutex<Option<Instant>>>);

impl Term {
    pub(crate) fn ends_at(&self, end: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|end| end <= Instant::now())
    }
}

/// What a task acts under.
#[derive(Debug, Clone)]
pub(crate) struct Mandate {
    user_agent: HeaderValue,
    term: Term,
}

impl Mandate {
    pub(crate) fn new(feature: Feature, fence: u64, term: Term) -> Self {
        Self { user_agent: user_agent::of_leader(feature, fence), term }
    }

    /// Does something under it.
    pub(crate) async fn act<T>(self, work: impl Future<Output = T>) -> T {
        MANDATE.scope(self, work).await
    }
}

/// How the current task introduces itself; none when its mandate has run out, and nothing may be sent any more.
pub(crate) fn introduction() -> Option<HeaderValue> {
    let acting = MANDATE.try_with(|mandate| (!mandate.term.is_over()).then(|| mandate.user_agent.clone()));
    acting.unwrap_or(Some(HeaderValue::from_static(user_agent::PRODUCT)))
}

/// A request of kube's own builder, introduced.
///
/// # Errors
/// When it cannot be built, or may not be sent any more.
pub(crate) fn introduced(built: Result<Request<Vec<u8>>, BuildError>) -> Result<Request<Vec<u8>>, kube::Error> {
    let mut request = built.map_err(kube::Error::BuildRequest)?;
    let introduction = introduction().ok_or_else(|| kube::Error::Service(RUN_OUT.into()))?;
    request.headers_mut().insert(USER_AGENT, introduction);
    Ok(request)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_acts_says_so_until_the_term_is_over() {
        let term = Term::default();
        let said = Mandate::new(Feature::Scheduling, 7, term.clone()).act(async {
            let endless = introduction();
            term.ends_at(Some(Instant::now() + Duration::from_secs(10)));
            let within = introduction();
            tokio::time::sleep(Duration::from_secs(10)).await;
            (endless, within, introduction())
        });
        let (endless, within, after) = said.await;
        assert_eq!(user_agent::made_under(endless.unwrap().to_str().unwrap()), Some((Feature::Scheduling, 7)));
        assert!(within.is_some());
        assert_eq!(after, None);
        assert_eq!(introduction().unwrap(), user_agent::PRODUCT);
    }
}
