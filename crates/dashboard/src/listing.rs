//! A page of decisions as one caller may see it.
//!
//! The store knows nothing of callers: what is read is sifted here, and read on until the page is full. A page for somebody
//! who sees little among much is shorter than asked for rather than late, and says where to go on.

use keelson_store::{Filter, MAX_PAGE};

use crate::access::Viewer;
use crate::backend::{Backend, Decisions};
use crate::error::ApiError;

/// How often the store is read for one page.
const ROUNDS: usize = 10;

/// The decisions that match and that the caller may see, newest first.
pub async fn page(backend: &dyn Backend, viewer: &Viewer, filter: &Filter) -> Result<Decisions, ApiError> {
    // Nobody learns by what they search for beside what they may not see.
    if let Some(about) = &filter.about
        && !viewer.sees(about).await?
    {
        return Ok(Decisions::default());
    }
    let wanted = usize::try_from(filter.page_size()).unwrap_or(usize::MAX);
    let mut asked = filter.clone();
    let mut found = Decisions::default();
    for _ in 0..ROUNDS {
        let read = backend.decisions(&asked).await?;
        found.partial |= read.partial;
        let mut rest = read.decisions.into_iter();
        while let Some(decision) = rest.next() {
            let id = decision.id;
            found.decisions.extend(viewer.shown(decision).await?);
            if found.decisions.len() >= wanted {
                found.next = if rest.len() > 0 { Some(id) } else { read.next };
                return Ok(found);
            }
        }
        found.next = read.next;
        asked.before = read.next;
        if read.next.is_none() {
            break;
        }
        // Most were left out: the next may be as well.
        asked.limit = MAX_PAGE;
    }
    Ok(found)
}
