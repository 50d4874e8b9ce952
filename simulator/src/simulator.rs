//! Starts and stops the simulator, and says where it is.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::deploycenter::{self, Deploycenter, PostSupport, Service, ServiceKind, management};
use crate::fault::Installed;
use crate::handle::Handle;
use crate::organisation::{OPERATOR_ID, Organisation};
use crate::recorder::Recorder;
use crate::sample::Sample;
use crate::server;
use crate::token::{self, Tokens};
use crate::world::World;

/// The key of the default service, as in the captures.
const DEPLOYCENTER_KEY: &str = "svc-key-42";
/// Google's tokens live an hour.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// The audience Google's own token endpoint goes by.
pub const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// How a simulator starts. The default is a small sample on a free port.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// What the systems know.
    pub organisation: Organisation,
    /// The services DeployCenter knows; the first one's key is [`Simulator::deploycenter_key`].
    pub services: Vec<Service>,
    /// Whether DeployCenter answers `POST`.
    pub post: PostSupport,
    /// How long access tokens live.
    pub token_lifetime: Duration,
    /// Audiences accepted in an assertion beside [`Simulator::token_uri`]. Google's own Python library claims
    /// [`GOOGLE_TOKEN_URI`] whatever the key file says.
    pub other_audiences: Vec<String>,
}

impl Default for SimulatorConfig {
    fn default() -> SimulatorConfig {
        SimulatorConfig {
            port: 0,
            organisation: Organisation::sample(&Sample::default()),
            services: vec![Service { id: 42, key: DEPLOYCENTER_KEY.to_owned(), kind: ServiceKind::Messages }],
            post: PostSupport::default(),
            token_lifetime: TOKEN_LIFETIME,
            other_audiences: Vec::new(),
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or not allowed.
    #[error("could not listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// A running simulator. Dropping it stops it: connections are cut, answers that are held are never sent.
#[derive(Debug)]
pub struct Simulator {
    handle: Handle,
    address: SocketAddr,
    deploycenter_key: String,
    server: JoinHandle<()>,
    stop: DropGuard,
}

impl Simulator {
    /// Binds 127.0.0.1 and serves in the background, on the runtime this is called in.
    ///
    /// # Errors
    /// When the port can't be bound.
    pub async fn start(config: SimulatorConfig) -> Result<Simulator, StartError> {
        let SimulatorConfig { port, organisation, services, post, token_lifetime, other_audiences } = config;
        let listen = |source| StartError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let deploycenter_key = services.first().map(|service| service.key.clone()).unwrap_or_default();
        let world = Arc::new(World {
            audiences: [vec![format!("http://{address}/token")], other_audiences].concat(),
            deploycenter: Deploycenter { services },
            clock: Clock::default(),
            recorder: Recorder::new(),
            faults: Installed::default(),
            tokens: Tokens::new(token_lifetime),
            post: RwLock::new(post),
            page_rows: AtomicUsize::new(management::PAGE_ROWS),
            webhooks: RwLock::default(),
            organisation: RwLock::new(organisation),
        });
        let stop = CancellationToken::new();
        let server = tokio::spawn(server::run(listener, server::routes(world.clone()), stop.clone()));
        Ok(Simulator { handle: Handle::new(world), address, deploycenter_key, server, stop: stop.drop_guard() })
    }

    /// `http://127.0.0.1:PORT`, without a last slash: the root of the directory, the metadata server and IAM.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// DeployCenter's endpoint; ends in `/api/v1.0/entitlements/`.
    pub fn deploycenter_url(&self) -> String {
        format!("http://{}{}", self.address, deploycenter::PATH)
    }

    /// The root of DeployCenter's management API; ends in `/api/v1.0/`.
    pub fn management_url(&self) -> String {
        format!("http://{}{}", self.address, management::ROOT)
    }

    /// The key of the operator, for `Authorization: Bearer` of the management API.
    pub fn operator_key(&self) -> &'static str {
        management::OPERATOR_KEY
    }

    /// The id of the operator whose key that is.
    pub fn operator_id(&self) -> &'static str {
        OPERATOR_ID
    }

    /// The OAuth token endpoint, the `aud` of an assertion.
    pub fn token_uri(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The control endpoint's root.
    pub fn control_url(&self) -> String {
        format!("http://{}/_control", self.address)
    }

    /// A service-account key file whose `token_uri` is this simulator. The private key in it is a public test key.
    pub fn service_account_key(&self) -> Value {
        token::service_account_key(&self.token_uri())
    }

    /// The service account's e-mail, for keyless delegation.
    pub fn service_account(&self) -> &'static str {
        token::SERVICE_ACCOUNT
    }

    /// The key for `X-Service-Auth: Bearer`.
    pub fn deploycenter_key(&self) -> &str {
        &self.deploycenter_key
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes, faults and the recorder, in process.
    pub fn organisation(&self) -> &Handle {
        &self.handle
    }

    /// Stops, and returns when the port is free and no answer is being made.
    pub async fn shutdown(self) {
        let Simulator { server, stop, .. } = self;
        drop(stop);
        if let Err(error) = server.await {
            tracing::warn!(%error, "the simulator ended badly");
        }
    }
}
