//! `entitled healthcheck`: is the daemon of this configuration ready? For container health checks, where there is no shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::say::say;
use super::{CliError, Exit};
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(2);

pub async fn run(config: &Config) -> Result<Exit, CliError> {
    let address = reachable(config.http.listen);
    let asked = tokio::time::timeout(PATIENCE, ready(address)).await;
    Ok(match asked {
        Ok(Ok(true)) => Exit::Done,
        Ok(Ok(false)) => unwell("it is not ready"),
        Ok(Err(error)) => unwell(&error.to_string()),
        Err(_) => unwell("it does not answer"),
    })
}

fn unwell(what: &str) -> Exit {
    say!("{what}");
    Exit::Unwell
}

/// An address that listens everywhere is reached on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(&head == b"HTTP/1.1 200")
}
