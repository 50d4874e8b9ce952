//! Plays the two systems `entitled` reads from, on loopback, as they behave on the wire: DeployCenter's entitlements
//! endpoint and the Google Workspace directory with its token endpoints. It shares no code with the clients it tests,
//! so that a wrong idea in a client can't be confirmed by the same wrong idea here.
//!
//! ```
//! # use entitled_simulator::{Organisation, Simulator, SimulatorConfig, System, Target, Fault};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), entitled_simulator::StartError> {
//! let simulator = Simulator::start(SimulatorConfig { organisation: Organisation::empty(), ..Default::default() }).await?;
//! let org = simulator.organisation();
//! org.add_organisation("21750001600019", true);
//! org.set_domains("ann@commune-a.fr", "21750001600019", ["commune-a.fr"]);
//! org.fault(Target::system(System::Deploycenter).times(1), Fault::status(503));
//! println!("ask {}", simulator.deploycenter_url());
//! simulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod call;
mod change;
mod clock;
mod connection;
mod control;
mod deploycenter;
mod directory;
mod fault;
mod handle;
mod organisation;
mod recorder;
mod sample;
mod server;
mod simulator;
mod token;
mod world;

pub use call::System;
pub use change::{AccountChange, Change, ChangeError, GroupChange, MembershipChange, OrganisationChange, UserChange};
pub use deploycenter::{PostSupport, Service, ServiceKind, Webhook, WebhookBody};
pub use fault::{Fault, HeldAnswer, Target};
pub use handle::{DeadlinePassed, Handle, Requests, State};
pub use organisation::{DirectoryId, Organisation, Person, Role, Storage};
pub use recorder::RecordedRequest;
pub use sample::Sample;
pub use simulator::{GOOGLE_TOKEN_URI, Simulator, SimulatorConfig, StartError};
