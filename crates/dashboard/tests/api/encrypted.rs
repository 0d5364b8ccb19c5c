//! The page's own certificate: served, replaced while it runs, and kept when its successor cannot be read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keelson_dashboard::{Options, Tls, bind, serve};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::fake::Site;

/// Writes a new certificate for loopback with its key, and returns it.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), made.pem()).unwrap();
    made.der().clone()
}

/// The status of an answer to somebody who trusts this certificate alone.
async fn ask(port: u16, trusted: &CertificateDer<'static>) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.ok()?;
    let request = format!("GET /api/v1/overview HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    Some(String::from_utf8_lossy(&head).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_replaced_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (first, files) = (certificate(folder.path()), ["tls.crt", "tls.key"].map(|name| folder.path().join(name)));
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = Some(Tls::read(&files[0], &files[1]).unwrap());
    let options = Options { tls, ..Options::loopback(port) };
    tokio::spawn(serve(listener, options, Site::new().fake, std::future::pending()));
    assert_eq!(ask(port, &first).await.as_deref(), Some("HTTP/1.1 200"));

    std::fs::write(&files[0], "half a certificate").unwrap();
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert!(ask(port, &first).await.is_some(), "the one before is served on");

    let second = certificate(folder.path());
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!((ask(port, &first).await, ask(port, &second).await.as_deref()), (None, Some("HTTP/1.1 200")));
}

#[test]
fn a_certificate_that_cannot_be_used_says_which_file_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate_file, key, other] = ["tls.crt", "tls.key", "other"].map(|name| folder.path().join(name));
    let refused = |certificate: &Path, key: &Path| Tls::read(certificate, key).unwrap_err().to_string();
    assert!(refused(&certificate_file, &key).contains("tls.crt"));
    certificate(folder.path());
    std::fs::write(&other, "").unwrap();
    assert!(refused(&other, &key).contains("certificate in PEM"));
    assert!(refused(&certificate_file, &other).contains("private key in PEM"));
    std::fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(refused(&certificate_file, &other).contains("its own key"));
}
