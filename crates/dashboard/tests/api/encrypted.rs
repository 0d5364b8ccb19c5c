//! The page's own certificate: served, replaced while it runs, and kept when its successor cannot be read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keelson_dashboard::{Options, Tls, bind, serve};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
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

/// What a client shows.
struct Shown {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// A new authority in a file, and a certificate of it.
fn vouched_for(file: &Path) -> Shown {
    let (its, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(file, authority.self_signed(&its).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, its);
    let made = CertificateParams::new(vec!["kube-scheduler".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Shown { certificate: made.der().clone(), key }
}

/// The status of an answer to somebody who trusts this certificate alone.
async fn ask(port: u16, trusted: &CertificateDer<'static>) -> Option<String> {
    ask_as(port, trusted, None).await
}

/// The same for somebody who shows a certificate.
async fn ask_as(port: u16, trusted: &CertificateDer<'static>, shown: Option<&Shown>) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match shown {
        Some(Shown { certificate, key }) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            config.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.ok()?;
    let request = format!("GET /api/v1/overview HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    // Whose certificate is not accepted learns so with the first answer.
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
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

#[tokio::test]
async fn where_certificates_are_asked_for_only_those_of_the_authority_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (served, known, stranger) =
        (certificate(folder.path()), vouched_for(&at("ca.crt")), vouched_for(&at("other.crt")));
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = Tls::read(&at("tls.crt"), &at("tls.key")).unwrap();
    let refused = tls.clone().asking(&at("tls.key")).unwrap_err().to_string();
    assert!(refused.contains("tls.key"), "{refused}");
    let options = Options { tls: Some(tls.asking(&at("ca.crt")).unwrap()), ..Options::loopback(port) };
    tokio::spawn(serve(listener, options, Site::new().fake, std::future::pending()));
    assert_eq!(ask_as(port, &served, Some(&known)).await.as_deref(), Some("HTTP/1.1 200"));
    assert_eq!(ask_as(port, &served, Some(&stranger)).await, None);
    assert_eq!(ask(port, &served).await, None);
}
