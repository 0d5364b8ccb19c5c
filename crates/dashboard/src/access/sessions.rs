//! Browsers that signed in.
//!
//! A browser holds a random id in a cookie that no script can read; kept here is only the id's hash, and what it stands for.
//! A token stays with its session, because it is reviewed again for as long as the session lasts.
//!
//! Promises: a session ends at its time at the latest; one person has at most [`EACH`] and all together [`MOST`], and the one
//! unused for longest makes room; all are gone with the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Caller;
use super::gate::{Digest, Secret, digest, random};
use crate::error::ApiError;

/// The longest a session lasts: a working day.
pub const LONGEST: Duration = Duration::from_secs(12 * 3_600);
/// The most sessions of one person: browsers, and some that were never signed out.
const EACH: usize = 16;
/// The most sessions.
const MOST: usize = 4_096;

/// What a session stands for.
#[derive(Clone)]
pub enum Held {
    /// Whoever the token stands for now.
    Token(Secret),
    /// The caller whom the identity provider named.
    Caller(Arc<Caller>),
}

#[derive(Clone)]
struct Session {
    held: Held,
    user: String,
    until: Instant,
    used: Instant,
}

/// All of them.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<Digest, Session>>);

impl Sessions {
    /// Begins one and returns what the browser is to keep.
    pub fn begin(&self, held: Held, user: &str, lasts: Duration, now: Instant) -> Result<String, ApiError> {
        let id = random()?;
        let mut all = self.all();
        all.retain(|_, session| now < session.until);
        let theirs = all.values().filter(|session| session.user == user).count();
        if theirs >= EACH {
            forget_oldest(&mut all, |session| session.user == user);
        } else if all.len() >= MOST {
            forget_oldest(&mut all, |_| true);
        }
        let until = now + lasts.min(LONGEST);
        all.insert(digest(&id), Session { held, user: user.to_owned(), until, used: now });
        Ok(id)
    }

    /// What one stands for, while it lasts.
    pub fn find(&self, id: &Digest, now: Instant) -> Option<Held> {
        let mut all = self.all();
        let session = all.get_mut(id).filter(|session| now < session.until)?;
        session.used = now;
        Some(session.held.clone())
    }

    /// Ends one.
    pub fn end(&self, id: &Digest) {
        self.all().remove(id);
    }

    // Every session is complete before the lock is given back.
    fn all(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_oldest(all: &mut HashMap<Digest, Session>, among: impl Fn(&Session) -> bool) {
    let oldest = all.iter().filter(|(_, session)| among(session)).min_by_key(|(_, session)| session.used);
    if let Some(id) = oldest.map(|(id, _)| *id) {
        all.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn begin(sessions: &Sessions, user: &str) -> Digest {
        let caller = Arc::new(Caller { user: user.to_owned(), ..Caller::default() });
        digest(&sessions.begin(Held::Caller(caller), user, Duration::from_secs(3_600), Instant::now()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_at_its_time_or_when_it_is_told_to() {
        let sessions = Sessions::default();
        let (one, other) = (begin(&sessions, "ada"), begin(&sessions, "ada"));
        sessions.end(&other);
        assert!(sessions.find(&other, Instant::now()).is_none());
        tokio::time::advance(Duration::from_secs(3_599)).await;
        assert!(sessions.find(&one, Instant::now()).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(sessions.find(&one, Instant::now()).is_none(), "use does not make it longer");
    }

    #[tokio::test(start_paused = true)]
    async fn one_person_has_only_so_many_and_keeps_those_in_use() {
        let sessions = Sessions::default();
        let bob = begin(&sessions, "bob");
        let used = begin(&sessions, "ada");
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(sessions.find(&used, Instant::now()).is_some());
            begin(&sessions, "ada");
        }
        assert_eq!(sessions.all().len(), EACH + 1);
        assert!(sessions.find(&bob, Instant::now()).is_some(), "others keep theirs");
    }
}
