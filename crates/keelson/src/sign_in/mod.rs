//! How people sign in to the page, as the command line says it.
//!
//! | room | idea |
//! |---|---|
//! | here | from flags to what the page needs, or which flag is wrong |
//! | `cluster` | whom a token stands for and what they may do: the cluster says it |
//! | `oidc`, `jwt` | whom an identity provider names |

mod cluster;
mod jwt;
mod oidc;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use keelson_dashboard::{Access, Options, SignIn, Tls};
use tokio::net::TcpListener;

use cluster::Cluster;
use oidc::{Oidc, Settings};

/// How people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Not at all: only this machine is answered.
    None,
    /// With a token of the cluster for the audience `keelson`.
    Token,
    /// At an OpenID Connect provider.
    Oidc,
    /// At a proxy in front, which proves itself by a secret.
    Proxy,
}

/// Where the page listens, and who may come.
#[derive(Debug, Clone, Args)]
pub struct Door {
    /// How people sign in to the page; without a sign-in it listens on loopback only.
    #[arg(long, env = "KEELSON_SIGN_IN", default_value = "none")]
    pub sign_in: Way,
    /// A name under which the page is opened, with its port unless that is 443; repeatable, or with commas between.
    #[arg(long = "host", env = "KEELSON_HOSTS", value_delimiter = ',', value_name = "NAME[:PORT]", value_parser = host)]
    pub hosts: Vec<String>,
    /// The page's certificate in PEM, read again when it changes; without it something in front must speak HTTPS.
    #[arg(long, env = "KEELSON_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM.
    #[arg(long, env = "KEELSON_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The address of the OpenID Connect provider, as in its discovery document.
    #[arg(long, env = "KEELSON_OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// The id of the client that the provider knows.
    #[arg(long, env = "KEELSON_OIDC_CLIENT", value_name = "ID")]
    pub oidc_client: Option<String>,
    /// The file that holds the client's secret; none for a public client.
    #[arg(long, env = "KEELSON_OIDC_SECRET_FILE", value_name = "FILE")]
    pub oidc_secret_file: Option<PathBuf>,
    /// The host to come back to; the first --host when not given.
    #[arg(long, env = "KEELSON_OIDC_REDIRECT_HOST", value_name = "NAME[:PORT]", value_parser = host)]
    pub oidc_redirect_host: Option<String>,
    /// The claim that names the person.
    #[arg(long, env = "KEELSON_OIDC_USER_CLAIM", default_value = "email", value_name = "CLAIM")]
    pub oidc_user_claim: String,
    /// The claim that lists their groups.
    #[arg(long, env = "KEELSON_OIDC_GROUPS_CLAIM", default_value = "groups", value_name = "CLAIM")]
    pub oidc_groups_claim: String,
    /// What is put before the names of people and groups, as the API server has it.
    #[arg(long, env = "KEELSON_OIDC_PREFIX", default_value = "", value_name = "TEXT")]
    pub oidc_prefix: String,
    /// The file that holds the proxy's secret, at least 32 characters.
    #[arg(long, env = "KEELSON_PROXY_SECRET_FILE", value_name = "FILE")]
    pub proxy_secret_file: Option<PathBuf>,
}

impl Door {
    /// Listens: anywhere when people sign in, on loopback otherwise.
    ///
    /// # Errors
    /// When the address may not be listened on, or cannot.
    pub async fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        let listener = match self.sign_in {
            Way::None => keelson_dashboard::bind(address).await,
            _ => keelson_dashboard::bind_anywhere(address).await,
        };
        Ok(listener?)
    }

    /// Names and sign-in of a page that listens at `address`, in front of the cluster of `client`.
    ///
    /// # Errors
    /// Names the flag that is missing or wrong.
    pub fn options(&self, address: SocketAddr, client: &kube::Client) -> Result<Options> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::read(certificate, key).context("--tls-cert, --tls-key")?),
            _ => None,
        };
        let here = self.scheme();
        // Where people sign in, a cookie is at stake: something speaks HTTPS, the page itself or what is in front of it.
        let elsewhere = if self.sign_in == Way::None { here } else { "https" };
        let mut options = Options::default();
        for host in self.named() {
            options = options.named(host, elsewhere);
        }
        for name in ["127.0.0.1", "localhost", "[::1]"] {
            options = options.named(&format!("{name}:{}", address.port()), here);
            // A browser leaves the usual port out.
            if address.port() == if tls.is_some() { 443 } else { 80 } {
                options = options.named(name, here);
            }
        }
        if self.sign_in != Way::None && self.named().next().is_none() && !address.ip().is_loopback() {
            tracing::warn!("no --host is given: browsers on other machines are refused");
        }
        options.access = self.access(client)?;
        options.tls = tls;
        Ok(options)
    }

    /// The names that were given; an empty variable gives none.
    fn named(&self) -> impl Iterator<Item = &String> {
        self.hosts.iter().filter(|host| !host.is_empty())
    }

    /// How the page is opened on this machine.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    fn access(&self, client: &kube::Client) -> Result<Option<Access>> {
        let sign_in = match self.sign_in {
            Way::None => return Ok(None),
            Way::Token => SignIn::Token,
            Way::Oidc => SignIn::Oidc(Arc::new(Oidc::new(self.oidc()?)?)),
            Way::Proxy => SignIn::Proxy(self.proxy_secret()?),
        };
        let cluster = Arc::new(Cluster::new(client.clone()));
        Ok(Some(Access { sign_in, reviewer: cluster.clone(), authorizer: cluster }))
    }

    fn oidc(&self) -> Result<Settings> {
        let (Some(issuer), Some(client)) = (&self.oidc_issuer, &self.oidc_client) else {
            bail!("--sign-in oidc needs --oidc-issuer URL and --oidc-client ID");
        };
        let Some(host) = self.oidc_redirect_host.as_ref().or(self.named().next()) else {
            bail!("--sign-in oidc needs the host to come back to: give --host NAME or --oidc-redirect-host NAME");
        };
        Ok(Settings {
            issuer: issuer.trim_end_matches('/').to_owned(),
            client: client.clone(),
            secret: self.oidc_secret_file.as_deref().map(|file| secret("--oidc-secret-file", file)).transpose()?,
            redirect: format!("https://{host}/api/v1/sign-in/callback"),
            user_claim: self.oidc_user_claim.clone(),
            groups_claim: self.oidc_groups_claim.clone(),
            prefix: self.oidc_prefix.clone(),
        })
    }

    fn proxy_secret(&self) -> Result<String> {
        let Some(file) = &self.proxy_secret_file else {
            bail!(
                "--sign-in proxy needs --proxy-secret-file FILE, with what the proxy sends in X-Keelson-Proxy-Secret"
            );
        };
        let secret = secret("--proxy-secret-file", file)?;
        if secret.len() < 32 {
            bail!("--proxy-secret-file {} holds {} characters; give at least 32", file.display(), secret.len());
        }
        Ok(secret)
    }
}

/// A secret in a file of its own, without the line's end.
fn secret(flag: &str, file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{flag} {} cannot be read", file.display()))?;
    let secret = text.trim();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{flag} {} must hold one line of visible characters", file.display());
    }
    Ok(secret.to_owned())
}

/// A name as a browser sends it: without a scheme or a path.
fn host(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let authority: http::uri::Authority = text.parse().map_err(|_| format!("{text:?} is no NAME or NAME:PORT"))?;
    if authority.as_str().contains('@') || authority.host().is_empty() || text.contains('*') {
        return Err(format!("{text:?} is no NAME or NAME:PORT, as in keelson.example.com"));
    }
    Ok(authority.as_str().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        door: Door,
    }

    fn door(args: &str) -> Door {
        Line::try_parse_from(format!("keelson {args}").split_whitespace()).unwrap().door
    }

    #[test]
    fn a_sign_in_that_lacks_something_says_which_flag() {
        let folder = tempfile::tempdir().unwrap();
        let short = folder.path().join("short");
        std::fs::write(&short, "secret\n").unwrap();
        let at = "--sign-in oidc --oidc-issuer https://example.com --oidc-client keelson";
        for (args, word) in [
            ("--sign-in oidc", "--oidc-issuer"),
            (at, "--host"),
            (&format!("{at} --host a --oidc-secret-file /none"), "/none"),
            ("--sign-in proxy", "--proxy-secret-file"),
            (&format!("--sign-in proxy --proxy-secret-file {}", short.display()), "at least 32"),
        ] {
            let door = door(args);
            let refused = match door.sign_in {
                Way::Oidc => format!("{:#}", door.oidc().err().unwrap()),
                _ => format!("{:#}", door.proxy_secret().unwrap_err()),
            };
            assert!(refused.contains(word), "{args}: {refused}");
        }
    }

    #[test]
    fn names_are_names_and_a_certificate_comes_with_its_key() {
        assert_eq!(door("--host Keelson.Example.com,b:8443 --host c").hosts, ["keelson.example.com", "b:8443", "c"]);
        assert_eq!(door("--host=").named().count(), 0);
        for args in ["--host=https://a", "--host=a/b", "--host=*.a", "--host=u@a", "--sign-in=ldap", "--tls-cert=a"] {
            assert!(Line::try_parse_from(["keelson", args]).is_err(), "{args}");
        }
    }

    #[tokio::test]
    async fn other_machines_are_answered_only_where_people_sign_in() {
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let refused = door("").listen(everywhere).await.unwrap_err().to_string();
        assert!(refused.contains("--sign-in token, oidc or proxy"), "{refused}");
        assert!(door("--sign-in token").listen(everywhere).await.is_ok());
    }
}
