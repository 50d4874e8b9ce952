//! One connection kept open, as thin as there is.

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// To the host of this `http` address.
    pub async fn open(base: &Url) -> anyhow::Result<Self> {
        let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default()) else {
            bail!("{base} names no host");
        };
        let stream = TcpStream::connect((host, port)).await.with_context(|| format!("{base} can't be reached"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: format!("{host}:{port}") })
    }

    /// Sends one request, whose URI is a path; its answer, whole.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
        request.headers_mut().insert(hyper::header::HOST, self.authority.parse()?);
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}
