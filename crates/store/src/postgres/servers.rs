//! Several servers of one database, of which one takes writes.
//!
//! When a server fails and its standby is promoted, the address of the database does not change for those who know both.
//! They are asked in the order given which of them is no standby, whenever the one in use is lost. libpq calls it
//! `target_session_attrs=read-write`; sqlx knows one host.
//!
//! Promises: a server that is a standby is never written to and never chosen; while none takes writes nothing changes, and
//! the next call asks again; no password is repeated in an error.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use crate::StoreError;

/// How long one server is waited for before the next one is asked.
const ASK: Duration = Duration::from_secs(1);
const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";

/// The servers of one database, in order of preference.
#[derive(Debug, Clone)]
pub struct Servers(Arc<[PgConnectOptions]>);

impl From<PgConnectOptions> for Servers {
    fn from(one: PgConnectOptions) -> Self {
        Self(Arc::from([one]))
    }
}

impl FromStr for Servers {
    type Err = sqlx::Error;

    /// Reads a URL as libpq does: `postgres://USER@HOST1:PORT,HOST2/DATABASE`, or `?host=/FOLDER1,/FOLDER2` for sockets.
    ///
    /// ```
    /// use keelson_store::Servers;
    /// let both: Servers = "postgres://keelson@db-0.db,db-1.db:5433/keelson".parse()?;
    /// assert_eq!(both.len(), 2);
    /// # Ok::<(), sqlx::Error>(())
    /// ```
    fn from_str(url: &str) -> Result<Self, sqlx::Error> {
        let servers = urls(url)?.iter().map(|one| one.parse()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(servers.into()))
    }
}

impl Servers {
    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn first(&self) -> PgConnectOptions {
        self.0.first().cloned().unwrap_or_default()
    }

    /// A pool that connects when it is first used. Where there is a choice, no standby gets into it.
    pub(super) fn pool(&self, options: PgPoolOptions) -> PgPool {
        if self.len() == 1 {
            return options.connect_lazy_with(self.first());
        }
        let refusing = options.after_connect(|conn, _| {
            Box::pin(async move {
                let is_standby: bool = sqlx::query_scalar(IS_STANDBY).fetch_one(conn).await?;
                if is_standby { Err(sqlx::Error::Configuration("it is a standby".into())) } else { Ok(()) }
            })
        });
        refusing.connect_lazy_with(self.first())
    }

    /// A connection to the one that takes writes, or to the only one.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        match self.primary().await {
            Some(primary) => Ok(PgConnection::connect_with(&primary).await?),
            None => Ok(PgConnection::connect_with(&self.first()).await?),
        }
    }

    /// Has a pool make its next connections to the server that takes writes; false when there is no choice, or none does.
    pub(super) async fn turn(&self, pool: &PgPool) -> bool {
        let Some(primary) = self.primary().await else { return false };
        let before = pool.connect_options();
        if (before.get_host(), before.get_port(), before.get_socket())
            != (primary.get_host(), primary.get_port(), primary.get_socket())
        {
            let host =
                primary.get_socket().map_or_else(|| primary.get_host().into(), |socket| socket.to_string_lossy());
            tracing::warn!(%host, port = primary.get_port(), "another server of the database takes the writes now");
        }
        pool.set_connect_options(primary);
        true
    }

    async fn primary(&self) -> Option<PgConnectOptions> {
        if self.len() == 1 {
            return None;
        }
        for server in self.0.iter() {
            if let Ok(Ok(false)) = timeout(ASK, is_standby(server)).await {
                return Some(server.clone());
            }
        }
        None
    }
}

async fn is_standby(server: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut conn = server.connect().await?;
    let answer = sqlx::query_scalar(IS_STANDBY).fetch_one(&mut conn).await?;
    conn.close().await?;
    Ok(answer)
}

/// A URL for each host of one that may name several.
fn urls(url: &str) -> Result<Vec<String>, sqlx::Error> {
    let refused = |why: &str| Err(sqlx::Error::Configuration(why.to_owned().into()));
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let Some((scheme, rest)) = address.split_once("://") else { return refused("the URL has no scheme") };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    let user = if user.is_empty() { String::new() } else { format!("{user}@") };

    let (mut named, mut ports, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("host", list)) => named = list.split(',').collect(),
            Some(("port", list)) => ports = list.split(',').collect(),
            Some(("target_session_attrs", "read-write" | "primary")) => {}
            Some(("target_session_attrs", other)) => {
                return refused(&format!(
                    "target_session_attrs is {other:?}; only read-write is of use, and the default"
                ));
            }
            _ => others.push(part),
        }
    }
    let count = if named.is_empty() { hosts.split(',').count() } else { named.len() };
    if ports.len() > 1 && ports.len() != count {
        return refused(&format!(
            "the URL names {count} hosts and {} ports; name one port, or one for each",
            ports.len()
        ));
    }
    let one = |at: usize| {
        let place = if named.is_empty() { at } else { 0 };
        let host = hosts.split(',').nth(place).unwrap_or_default();
        let mut query: Vec<String> = others.iter().map(|part| (*part).to_owned()).collect();
        query.extend(named.get(at).map(|name| format!("host={name}")));
        query.extend(ports.get(at).or_else(|| ports.first()).map(|port| format!("port={port}")));
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("{scheme}://{user}{host}/{path}{query}")
    };
    Ok((0..count).map(one).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_may_name_several_hosts_as_libpq_reads_them() {
        for (url, expected) in [
            ("postgres://db/keelson", vec!["postgres://db/keelson"]),
            (
                "postgres://u:p@a:1,b:2/k?sslmode=require",
                vec!["postgres://u:p@a:1/k?sslmode=require", "postgres://u:p@b:2/k?sslmode=require"],
            ),
            (
                "postgres://u@localhost/k?host=/a,/b",
                vec!["postgres://u@localhost/k?host=/a", "postgres://u@localhost/k?host=/b"],
            ),
            ("postgres://u@a,b/k?port=6000", vec!["postgres://u@a/k?port=6000", "postgres://u@b/k?port=6000"]),
            ("postgres://a,b?target_session_attrs=read-write", vec!["postgres://a/", "postgres://b/"]),
        ] {
            assert_eq!(urls(url).unwrap(), expected, "{url}");
        }
        let both: Servers = "postgres://u@h/k?host=/a,/b&port=1,2".parse().unwrap();
        let sockets: Vec<_> =
            both.0.iter().map(|one| (one.get_socket().unwrap().display().to_string(), one.get_port())).collect();
        assert_eq!(sockets, [("/a".to_owned(), 1), ("/b".to_owned(), 2)]);
    }

    #[test]
    fn what_makes_no_sense_is_named_and_no_password_is() {
        for (url, word) in [
            ("postgres://u:secret@a,b/k?port=1,2,3", "3 ports"),
            ("postgres://u:secret@a/k?target_session_attrs=standby", "read-write"),
            ("postgres://u:secret@a:port,b/k", "port"),
        ] {
            let error = url.parse::<Servers>().unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("secret"), "{error}");
        }
    }
}
