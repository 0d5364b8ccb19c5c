//! HTTPS with a certificate from two files, and where it is asked for, for those alone who have one of a named authority.
//!
//! Promises: a certificate that is replaced on disk is served within half a minute, without a restart; one that cannot be
//! read is reported, and the one before is served on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(20);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{file}: {why}; give a {what} in PEM")]
    File {
        /// Which.
        file: PathBuf,
        /// What was expected in it.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The two do not belong together.
    #[error("{certificate} and {key} cannot be used together: {why}; give a certificate and its own key")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    /// Whose certificates those who connect must have; without it they need none.
    authority: Option<PathBuf>,
    now: Arc<ServerConfig>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let now = Arc::new(config(certificate, key, None)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), authority: None, now })
    }

    /// The same for those alone who have a certificate of this authority.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn asking(mut self, authority: &Path) -> Result<Self, TlsError> {
        self.now = Arc::new(config(&self.certificate, &self.key, Some(authority))?);
        self.authority = Some(authority.to_owned());
        Ok(self)
    }

    /// The acceptor of now, for as long as the receiver is kept.
    pub(crate) fn follow(self) -> watch::Receiver<TlsAcceptor> {
        let (sender, receiver) = watch::channel(TlsAcceptor::from(Arc::clone(&self.now)));
        tokio::spawn(async move {
            let mut seen = self.stamp();
            loop {
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
                let stamp = self.stamp();
                if stamp == seen {
                    continue;
                }
                seen = stamp;
                match config(&self.certificate, &self.key, self.authority.as_deref()) {
                    Ok(config) => {
                        tracing::info!("the certificate was replaced");
                        sender.send_replace(TlsAcceptor::from(Arc::new(config)));
                    }
                    Err(error) => tracing::warn!("the certificate before is served on: {error}"),
                }
            }
        });
        receiver
    }

    fn stamp(&self) -> [Option<SystemTime>; 3] {
        let of = |file: &PathBuf| std::fs::metadata(file).and_then(|found| found.modified()).ok();
        [of(&self.certificate), of(&self.key), self.authority.as_ref().and_then(of)]
    }
}

fn file(file: &Path, what: &'static str, why: String) -> TlsError {
    TlsError::File { file: file.to_owned(), what, why }
}

/// Whom an authority vouches for.
fn verifier(authority: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let wrong = |why: String| file(authority, "certificate of an authority", why);
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(authority).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for root in read.map_err(|error| wrong(error.to_string()))? {
        roots.add(root).map_err(|error| wrong(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    built.map_err(|error| wrong(error.to_string()))
}

fn config(certificate: &Path, key: &Path, authority: Option<&Path>) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| file(certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(file(certificate, "certificate", "it holds none".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, "private key", error.to_string()))?;
    let verifier = authority.map(verifier).transpose()?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let made = builder.with_safe_default_protocol_versions().and_then(|builder| {
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        builder.with_single_cert(chain, private)
    });
    let mut config = made.map_err(|error| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        why: error.to_string(),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
