//! Listening on loopback, and stopping.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use keelson_dashboard::{Options, ServeError, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::fake::Site;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[tokio::test]
async fn a_port_in_use_is_said_in_one_sentence_with_the_fix() {
    let first = bind(ANY_PORT).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).await.unwrap_err();
    assert!(matches!(error, ServeError::InUse { .. }));
    let expected = format!("{address} is in use by another program; stop that program or choose another port");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_page_without_sign_in_is_not_shown_to_other_machines() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    assert!(matches!(bind(everywhere).await, Err(ServeError::NotLoopback { .. })));
    let listener = TcpListener::bind(everywhere).await.unwrap();
    let served = serve(listener, Options::default(), Site::new().fake, std::future::pending()).await;
    assert!(matches!(served, Err(ServeError::NotLoopback { .. })));
}

#[tokio::test]
async fn stopping_ends_open_streams_and_returns() {
    let listener = bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, Options::loopback(address.port()), Site::new().fake, async {
        let _ = stopped.await;
    }));
    let mut page = TcpStream::connect(address).await.unwrap();
    page.write_all(format!("GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("event: nodes") {
        let mut part = [0; 4_096];
        let read = page.read(&mut part).await.unwrap();
        heard.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), served).await;
    assert!(ended.expect("an open stream does not hold the end up").unwrap().is_ok());
    let mut rest = Vec::new();
    page.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).ends_with("0\r\n\r\n"), "the stream is ended, not torn");
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_does_not_hold_the_end_up() {
    use keelson_store::Store;
    let site = Site::new();
    let made: Vec<_> = (0..20_000).map(crate::fake::decision).collect();
    site.fake.store.record(&made).await.unwrap();
    let listener = bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, Options::loopback(address.port()), site.fake.clone(), async {
        let _ = stopped.await;
    }));
    let mut reader = TcpStream::connect(address).await.unwrap();
    reader
        .write_all(format!("GET /api/v1/decisions/export HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    reader.read_exact(&mut [0; 64]).await.unwrap();
    // From here on the reader takes nothing. Time is stopped, so that the grace passes at once.
    tokio::time::pause();
    stop.send(()).unwrap();
    assert!(served.await.unwrap().is_ok());
}
