//! Plays the sample organisation on a free port until interrupted, and prints where, as one JSON document:
//! `cargo run -p entitled-simulator --example play`.

use entitled_simulator::{Simulator, SimulatorConfig};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::start(SimulatorConfig::default()).await?;
    let addresses = json!({
        "base_url": simulator.base_url(),
        "deploycenter_url": simulator.deploycenter_url(),
        "deploycenter_key": simulator.deploycenter_key(),
        "control_url": simulator.control_url(),
        "service_account_key": simulator.service_account_key(),
        "people": simulator.organisation().people(),
    });
    println!("{addresses}");
    tokio::signal::ctrl_c().await?;
    simulator.shutdown().await;
    Ok(())
}
