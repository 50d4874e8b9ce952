//! A wire between the daemon and its database that can go dead without being cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on, in both directions, while it is alive.
pub struct Proxy {
    pub address: SocketAddr,
    alive: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (alive, living) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((downstream, _)) = listener.accept().await {
                let upstream = TcpStream::connect(&upstream).await.expect("the server");
                let ((from_daemon, to_daemon), (from_server, to_server)) =
                    (downstream.into_split(), upstream.into_split());
                tokio::spawn(pass(from_daemon, to_server, living.clone()));
                tokio::spawn(pass(from_server, to_daemon, living.clone()));
            }
        });
        Self { address, alive }
    }

    /// From now on bytes are taken and kept.
    pub fn die(&self) {
        self.alive.send_replace(false);
    }

    /// What was kept arrives, and everything after it.
    pub fn revive(&self) {
        self.alive.send_replace(true);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut alive: watch::Receiver<bool>,
) {
    let mut buffer = [0; 8_192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if alive.wait_for(|alive| *alive).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
