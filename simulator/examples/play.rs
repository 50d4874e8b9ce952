//! Plays the sample organisation on a free port until interrupted, and prints where, as one JSON document. Google's own
//! client libraries can be pointed at it: `cargo run -p entitled-simulator --example play`.

use entitled_simulator::{GOOGLE_TOKEN_URI, Simulator, SimulatorConfig};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = SimulatorConfig { other_audiences: vec![GOOGLE_TOKEN_URI.to_owned()], ..Default::default() };
    let simulator = Simulator::start(config).await?;
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
