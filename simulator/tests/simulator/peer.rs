//! Google's own Python client, which shares no code and no author with the simulator, drives it: what that client finds
//! is what it would find at Google. `scripts/peers` makes its environment; ENTITLED_TEST_PEERS names it.

use std::process::Stdio;

use entitled_simulator::{GOOGLE_TOKEN_URI, Organisation, SimulatorConfig};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::stage::Stage;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/google_client.py");

/// Checks that the script must have made, so that an empty one proves nothing.
const CHECKS: usize = 14;

/// 450 members of one group, 453 users, 210 groups: three pages, five, and two.
async fn world() -> Stage {
    let config = SimulatorConfig {
        organisation: Organisation::empty(),
        other_audiences: vec![GOOGLE_TOKEN_URI.to_owned()],
        ..SimulatorConfig::default()
    };
    let stage = Stage::with(config).await;
    for number in 0..450 {
        stage.add_member("grp_acme_big@example.com", &format!("user{number:03}@example.org"));
    }
    for number in 0..206 {
        stage.add_group(&format!("grp_{number:03}@example.com"));
    }
    stage.add_group("grp_acme_empty@example.com");
    stage.add_member("inner@example.com", "ann@example.org").add_member("inner@example.com", "sam@example.org");
    stage.add_member("outer@example.com", "inner@example.com").add_customer("outer@example.com");
    stage.add_external("outer@example.com", "guest@elsewhere.example");
    stage.add_alias("ann@example.org", "a.n@example.org").suspend_user("sam@example.org");
    for user in ["nobody.in.any@example.org", "gone@example.org"] {
        stage.add_user(user);
    }
    stage.delete_user("gone@example.org");
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_own_client_finds_the_api_that_it_knows() {
    // S5, S6, G1, G2, G3, G4, G5, G6, G7, G8
    let Ok(peers) = std::env::var("ENTITLED_TEST_PEERS") else {
        eprintln!(
            "NOT CHECKED: ENTITLED_TEST_PEERS is not set, so Google's own client was not run (scripts/test sets it)"
        );
        return;
    };
    let stage = world().await;
    let told = json!({
        "base_url": stage.simulator.base_url(),
        "control_url": stage.simulator.control_url(),
        "service_account_key": stage.simulator.service_account_key(),
    });
    let mut command = Command::new(format!("{peers}/bin/python"));
    command.arg("-I").arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.kill_on_drop(true).spawn().expect("scripts/peers has made it");
    client.stdin.take().expect("piped").write_all(told.to_string().as_bytes()).await.expect("read");
    let ended = client.wait_with_output().await.expect("it ends");
    let (said, complained) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{said}{complained}");
    let held = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(held, CHECKS, "{said}{complained}");
}
