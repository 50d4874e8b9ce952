//! One TCP connection and how a fault may end it before an answer. The bytes on the wire are the point: a reset is a
//! real RST, a close is a real FIN, and neither is preceded by a response head.

use std::convert::Infallible;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How a connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// RST: the peer reads "connection reset".
    Reset,
    /// FIN: the peer reads end of file.
    Close,
}

/// Ends the connection that a request came by. Carried in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Cut(watch::Sender<Option<Ending>>);

impl Cut {
    /// Ends the connection; never returns, since the connection takes its requests down with it.
    pub(crate) async fn end(&self, ending: Ending) -> Response {
        self.0.send_replace(Some(ending));
        std::future::pending().await
    }
}

/// Serves one connection until either side ends it.
pub(crate) async fn serve(stream: TcpStream, routes: Router) {
    let (cut, mut cutting) = watch::channel(None);
    let cut = Cut(cut);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(cut.clone());
        let answer = routes.call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        served = &mut connection => {
            if let Err(error) = served {
                tracing::debug!(%error, "connection ended early");
            }
        }
        ending = asked_to_end(&mut cutting) => end(connection.into_parts().io.into_inner(), ending),
    }
}

async fn asked_to_end(cutting: &mut watch::Receiver<Option<Ending>>) -> Ending {
    match cutting.wait_for(Option::is_some).await.map(|ending| *ending) {
        Ok(Some(ending)) => ending,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn end(stream: TcpStream, ending: Ending) {
    let prepared = match ending {
        Ending::Reset => stream.set_zero_linger(),
        Ending::Close => Ok(()),
    };
    if let Err(error) = prepared {
        tracing::warn!(%error, "could not make the connection reset; it closes instead");
    }
}
