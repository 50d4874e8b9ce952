//! Reading many users from the management API's lists, with the real binary on both stores.

mod support;

#[path = "enumerate/doubt.rs"]
mod doubt;
#[path = "enumerate/equal.rs"]
mod equal;
#[path = "enumerate/faults.rs"]
mod faults;
#[path = "enumerate/reading.rs"]
mod reading;
#[path = "serve/receiver.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod receiver;
#[path = "sync/stage.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod stage;

use entitled_simulator::System;
use support::{SIRET, World};

/// Another organisation of the same operator.
const B: &str = "21750002400018";
const ANN: &str = "ann@commune-a.fr";
const BOB: &str = "bob@commune-a.fr";

/// Switches the lists on; `sample` users are asked one by one all the same.
fn enumerating(world: &mut World, sample: usize) {
    let operator = world.simulator.operator_id();
    let key = world.simulator.operator_key().to_owned();
    world.environment.push(("OPERATOR_KEY".to_owned(), key));
    let setting = format!(
        "fallback = \"local\"\n\
         enumerate = {{ operator_key = {{ env = \"OPERATOR_KEY\" }}, operator_id = \"{operator}\", sample = {sample} }}"
    );
    world.configure("fallback = \"local\"", &setting);
}

/// Makes so many users of the organisation known, `user0@commune-a.fr` and on; each has been asked about once.
async fn crowd(world: &World, users: usize) {
    for number in 0..users {
        stage::know_member(world, &member(number)).await;
    }
    world.org().subscribe_domains(SIRET, &["commune-a.fr", "ville-a.fr"]).set_roles(&member(0), SIRET, &["admin"]);
    stage::expect(&stage::deploycenter(world, &[]).await, 0, "applied");
    world.org().clear_requests();
}

fn member(number: usize) -> String {
    format!("user{number}@commune-a.fr")
}

/// Requests since the last look: to the lists, and about one user.
fn requests(world: &World) -> (usize, usize) {
    let requests = world.org().requests(System::Deploycenter);
    world.org().clear_requests();
    let (alone, lists): (Vec<_>, Vec<_>) =
        requests.into_iter().partition(|request| request.path.ends_with("/entitlements/"));
    (lists.len(), alone.len())
}
