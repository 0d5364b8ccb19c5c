//! A page on a socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use keelson_dashboard::access::SignIn;
use keelson_dashboard::{Options, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::fake::Fake;
use crate::guests::{DOOR, Guests, token};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A page on a socket, to which `users` people may sign in.
pub struct Served {
    pub address: SocketAddr,
    pub fake: Arc<Fake>,
    _task: JoinSet<()>,
}

impl Served {
    pub async fn start(users: usize) -> Self {
        Self::with(users, Fake::new(16)).await
    }

    pub async fn with(users: usize, fake: Fake) -> Self {
        let guests = Arc::new(Guests::default());
        for user in 0..users {
            guests.knows(&format!("user-{user}"), &[DOOR, "get pods", "list nodes"]);
        }
        let listener = bind(ANY_PORT).await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Arc::new(fake);
        let access = (users > 0).then(|| guests.access(SignIn::Token));
        let options = Options { access, ..Options::loopback(address.port()) };
        let mut task = JoinSet::new();
        let backend = fake.clone();
        task.spawn(async move { serve(listener, options, backend, std::future::pending()).await.unwrap() });
        Self { address, fake, _task: task }
    }

    /// Says something, and returns the connection.
    pub async fn say(&self, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(text.replace("HOST", &self.address.to_string()).as_bytes()).await.unwrap();
        connection
    }

    /// The status of the answer to a request of somebody, and the connection after its head.
    pub async fn ask(&self, user: usize, path: &str) -> (u16, TcpStream) {
        let token = token(&format!("user-{user}"));
        let mut connection =
            self.say(&format!("GET {path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\n\r\n")).await;
        let mut head = [0; 12];
        connection.read_exact(&mut head).await.unwrap();
        (std::str::from_utf8(&head[9..]).unwrap().parse().unwrap(), connection)
    }
}
