//! A wire between the daemon and its database that can go dead without being cut, or be cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on, in both directions, while it is alive.
pub struct Proxy {
    pub address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    Silent,
    Cut,
}

#[allow(dead_code, reason = "each test binary uses a part of it")]
impl Proxy {
    pub async fn start(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, seen) = watch::channel(State::Alive);
        tokio::spawn(async move {
            while let Ok((downstream, _)) = listener.accept().await {
                if *seen.borrow() == State::Cut {
                    continue;
                }
                let upstream = TcpStream::connect(&upstream).await.expect("the server");
                let ((from_daemon, to_daemon), (from_server, to_server)) =
                    (downstream.into_split(), upstream.into_split());
                tokio::spawn(pass(from_daemon, to_server, seen.clone()));
                tokio::spawn(pass(from_server, to_daemon, seen.clone()));
            }
        });
        Self { address, state }
    }

    /// From now on bytes are taken and kept.
    pub fn die(&self) {
        self.state.send_replace(State::Silent);
    }

    /// What was kept arrives, and everything after it.
    pub fn revive(&self) {
        self.state.send_replace(State::Alive);
    }

    /// Every connection is closed, and no other is made until it is revived.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) {
    let mut cut = state.clone();
    let passing = async {
        let mut buffer = [0; 8_192];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if state.wait_for(|state| *state == State::Alive).await.is_err()
                || to.write_all(&buffer[..count]).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = passing => {}
        // A proxy that is dropped passes on.
        Ok(_) = cut.wait_for(|state| *state == State::Cut) => {}
    }
}
