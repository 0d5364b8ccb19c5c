//! A port on this machine's loopback that leads to a server inside a cluster's network.
//!
//! A socket belongs to the network of the thread that made it. So a connection is accepted on the outside, and a thread
//! that entered the cluster's network connects to the server and copies between the two. Nothing is opened to any other
//! machine, and the cluster still has no route out: traffic goes through only when somebody here connects first.
//!
//! Promises: at most [`LIMIT`] connections at once, further ones are closed; dropping the door closes every connection
//! and returns when every thread has ended.

use std::fs::File;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::SigSet;

/// Most connections at once.
pub const LIMIT: usize = 512;

/// An open door; dropping it closes it.
#[derive(Debug)]
pub struct Door {
    outside: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    closed: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

/// Both ends, kept to be shut down from outside their thread.
#[derive(Debug)]
struct Connection {
    outer: TcpStream,
    inner: Arc<Mutex<Option<TcpStream>>>,
    thread: JoinHandle<()>,
}

impl Door {
    /// Accepts on `listener` and forwards to `inside`, an address in the network that `namespace` refers to.
    ///
    /// # Errors
    /// When the listener has no address or no thread can be started.
    pub fn open(listener: TcpListener, namespace: File, inside: SocketAddr) -> Result<Self> {
        let outside = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accepting = thread::Builder::new()
            .name("keelson-door".into())
            .spawn(move || accept(&listener, &namespace, inside, &shared))
            .context("starting the thread of a door")?;
        Ok(Self { outside, state, accepting: Some(accepting) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; when nobody accepts any more there is nothing to wake.
        let _ = TcpStream::connect(self.outside);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let connections = std::mem::take(&mut *lock(&self.state.connections));
        for connection in &connections {
            let _ = connection.outer.shutdown(Shutdown::Both);
            if let Some(inner) = &*lock(&connection.inner) {
                let _ = inner.shutdown(Shutdown::Both);
            }
        }
        for connection in connections {
            let _ = connection.thread.join();
        }
    }
}

fn accept(listener: &TcpListener, namespace: &File, inside: SocketAddr, state: &State) {
    // Signals are for the owner's own threads; the threads started here inherit this.
    let _ = SigSet::all().thread_block();
    for outer in listener.incoming().flatten() {
        if state.closed.load(Ordering::SeqCst) {
            return;
        }
        let mut connections = lock(&state.connections);
        connections.retain(|connection| !connection.thread.is_finished());
        if connections.len() < LIMIT {
            // Without a thread or a descriptor the client sees its connection closed, as over the limit.
            connections.extend(start(outer, namespace, inside).ok());
        }
    }
}

fn start(outer: TcpStream, namespace: &File, inside: SocketAddr) -> io::Result<Connection> {
    let namespace = namespace.try_clone()?;
    let kept = outer.try_clone()?;
    let inner = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&inner);
    let thread = thread::Builder::new().spawn(move || {
        // A failed relay is a closed connection to both ends, which is all they can be told.
        let _ = relay(&outer, &namespace, inside, &slot);
        let _ = outer.shutdown(Shutdown::Both);
    })?;
    Ok(Connection { outer: kept, inner, thread })
}

fn relay(outer: &TcpStream, namespace: &File, inside: SocketAddr, slot: &Mutex<Option<TcpStream>>) -> io::Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    let inner = TcpStream::connect(inside)?;
    *lock(slot) = Some(inner.try_clone()?);
    inner.set_nodelay(true)?;
    outer.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| copy(outer, &inner));
        copy(&inner, outer);
    });
    Ok(())
}

/// Copies until one side ends, then tells the other that no more will come.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::io::{Read, Write};

    use super::*;

    /// A door to an echo server in this very network; entering a network takes root. Each test has an address of its own, or
    /// the port that one gives up could be the next one's.
    fn door(at: &str) -> Door {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let inside = server.local_addr().unwrap();
        thread::spawn(move || {
            for stream in server.incoming().flatten() {
                thread::spawn(move || copy(&stream, &stream));
            }
        });
        let listener = TcpListener::bind((at, 0)).unwrap();
        Door::open(listener, File::open("/proc/self/ns/net").unwrap(), inside).unwrap()
    }

    #[test]
    fn what_goes_in_comes_out_and_the_end_of_a_stream_is_passed_on() {
        let door = door("127.0.0.2");
        let mut client = TcpStream::connect(door.outside).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
    }

    #[test]
    fn a_closed_door_ends_open_connections_and_accepts_no_more() {
        let door = door("127.0.0.3");
        let mut client = TcpStream::connect(door.outside).unwrap();
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        let outside = door.outside;
        drop(door);
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
        assert!(TcpStream::connect(outside).is_err());
    }
}
