//! A failing source takes nothing away, and is named by the class of its failure. In the middle of a read: `middle.rs`.

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, google, know_member, runs, tables};
use crate::support::{Ended, SIRET, World};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";
const LASTING: [&str; 5] = ["event", "membership", "entitlement", "user_account", "observation"];

/// What goes wrong, and the class it must get.
pub fn faults() -> Vec<(Fault, &'static str)> {
    let mut faults = vec![
        (Fault::Reset, "connect"),
        (Fault::Close, "connect"),
        (Fault::InvalidJson, "malformed"),
        (Fault::Html, "malformed"),
        (Fault::redirect(), "malformed"),
        (Fault::wrong_type(), "malformed"),
        (Fault::Oversize { bytes: 500_000 }, "malformed"),
        (Fault::Truncate, "incomplete"),
        (Fault::too_many_requests(1), "rate_limited"),
    ];
    let statuses = [
        (400, "malformed"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "malformed"),
        (429, "rate_limited"),
        (500, "http_5xx"),
        (503, "http_5xx"),
    ];
    faults.extend(statuses.map(|(code, class)| (Fault::status(code), class)));
    faults
}

/// Syncs while everything goes wrong in one way after the other; each time nothing may change but the runs' records.
async fn nothing_is_lost(world: &mut World, system: System, source: &str, scope: &[&str]) {
    let arguments = [&["--source", source], scope].concat();
    let before = tables(world, &LASTING).await;
    for (fault, class) in faults() {
        world.org().fault(Target::system(system), fault.clone());
        let ended = world.sync(&arguments).await;
        failed(world, &ended, source, class, &format!("{fault:?}")).await;
        world.org().clear_faults();
    }
    let setting = |key: &str| format!("ENTITLED_SOURCES__{}__{key}", source.to_uppercase());
    world.environment.push((setting("TIMEOUT"), "200ms".to_owned()));
    world.org().fault(Target::system(system), Fault::hold("late"));
    let ended = world.sync(&arguments).await;
    failed(world, &ended, source, "timeout", "no answer in time").await;
    world.org().clear_faults();
    world.environment.pop();
    let address = if system == System::Google { "API_BASE" } else { "BASE_URL" };
    world.environment.push((setting(address), closed_port()));
    let ended = world.sync(&arguments).await;
    failed(world, &ended, source, "connect", "refused connection").await;
    world.environment.pop();
    assert_eq!(tables(world, &LASTING).await, before);
    expect(&world.sync(&arguments).await, 0, "unchanged");
}

async fn failed(world: &World, ended: &Ended, source: &str, class: &str, what: &str) {
    assert_eq!((ended.code, &ended.json()["outcome"]), (3, &json!("unavailable")), "{what}: {ended:?}");
    let entry = ended.source(source);
    assert_eq!(entry["error"]["class"], class, "{what}: {entry}");
    assert!(entry["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {entry}");
    assert_eq!((&entry["created"], &entry["removed"]), (&json!([]), &json!([])), "{what}");
    let recorded = runs(world).await.pop();
    assert_eq!(recorded, Some(format!("unavailable {class}")), "{what}");
}

/// An address at which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}/", listener.local_addr().expect("an address"))
}

fn patient_and_bounded(world: &mut World) {
    world.configure("timeout = \"2s\"", "timeout = \"20s\"\nbody_bytes_max = 65536");
}

on_both_stores! {
    async fn a_failing_backend_takes_nothing_away(world: World) {
        // S5, S8
        let mut world = world;
        patient_and_bounded(&mut world);
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr", "ville-a.fr"]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        nothing_is_lost(&mut world, System::Deploycenter, "deploycenter", &["--user", ANN]).await;
    }

    async fn a_backend_that_fails_for_everybody_takes_nothing_away(world: World) {
        // S5
        for user in [ANN, "bob@commune-a.fr"] {
            know_member(&world, user).await;
            world.org().set_domains(user, SIRET, ["commune-a.fr"]);
        }
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        let before = tables(&world, &LASTING).await;
        for (fault, class) in
            [(Fault::status(500), "http_5xx"), (Fault::Truncate, "incomplete"), (Fault::wrong_type(), "malformed")]
        {
            world.org().fault(Target::system(System::Deploycenter), fault);
            let ended = deploycenter(&world, &[]).await;
            failed(&world, &ended, "deploycenter", class, class).await;
            world.org().clear_faults();
        }
        assert_eq!(tables(&world, &LASTING).await, before);
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
    }

    async fn a_directory_that_fails_as_a_whole_takes_nothing_away(world: World) {
        // S5
        let mut world = world;
        patient_and_bounded(&mut world);
        world.org().add_member("grp_acme_a@example.com", ANN).add_member("grp_acme_b@example.com", "bob@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        nothing_is_lost(&mut world, System::Google, "google_sync", &[]).await;
    }

    async fn a_directory_that_fails_for_one_user_takes_nothing_away(world: World) {
        // S5
        let mut world = world;
        patient_and_bounded(&mut world);
        world.org().add_member("grp_acme_a@example.com", ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        nothing_is_lost(&mut world, System::Google, "google_sync", &["--user", ANN]).await;
    }

    async fn a_list_that_does_not_end_well_is_incomplete(world: World) {
        // S5, G1
        let mut world = world;
        world.configure("prefix = \"grp_acme_\"", "prefix = \"grp_acme_\"\npage_cap = 4");
        for number in 0..450 {
            world.org().add_member("grp_acme_many@example.com", &format!("m{number:03}@example.org"));
        }
        for number in 0..210 {
            world.org().add_member(&format!("grp_acme_{number:03}@example.com"), "m000@example.org");
        }
        expect(&google(&world, &[]).await, 0, "applied");
        let before = tables(&world, &LASTING).await;
        let groups = || Target::system(System::Google).path_contains("/groups?");
        let of_m000 = [&[][..], &["--user", "m000@example.org"]];
        for (target, fault, class) in [
            (groups().page(2), Fault::status(503), "http_5xx"),
            (groups().page(2), Fault::Truncate, "incomplete"),
            (groups().page(2), Fault::InvalidJson, "malformed"),
            (groups(), Fault::RepeatToken, "incomplete"),
            (groups(), Fault::EndlessPages, "incomplete"),
        ] {
            // Page 2 of all groups is in `middle.rs`.
            for scope in of_m000.into_iter().skip(usize::from(target.page.is_some())) {
                world.org().fault(target.clone(), fault.clone());
                let ended = google(&world, scope).await;
                failed(&world, &ended, "google_sync", class, &format!("{scope:?} {fault:?}")).await;
                world.org().clear_faults();
            }
        }
        assert_eq!(tables(&world, &LASTING).await, before);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn a_failing_source_does_not_stop_the_others(world: World) {
        // S5
        know_member(&world, ANN).await;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member("grp_acme_a@example.com", ANN);
        world.org().fault(Target::system(System::Deploycenter), Fault::status(500));
        let ended = world.sync(&[]).await;
        expect(&ended, 3, "unavailable");
        assert_eq!(ended.source("google_sync")["outcome"], "applied");
        assert_eq!(crate::stage::groups_of(&world, ANN, "google_sync").await, ["grp_acme_a@example.com"]);
        world.org().clear_faults();
        expect(&world.sync(&[]).await, 0, "applied");
        expect(&world.sync(&[]).await, 0, "unchanged");
    }
}
