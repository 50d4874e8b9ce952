//! The sample is believable, complete and the same each time.

use entitled_simulator::{Organisation, Sample, SimulatorConfig, System};
use serde_json::Value;

use crate::stage::Stage;

async fn everything(sample: &Sample) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let stage = Stage::with(SimulatorConfig { organisation: Organisation::sample(sample), ..Default::default() }).await;
    let users = stage.all("users?customer=my_customer&maxResults=500", "users").await;
    let groups = stage.all("groups?customer=my_customer", "groups").await;
    let mut members = Vec::new();
    for group in &groups {
        let email = group["email"].as_str().expect("an address");
        let of_group = stage.all(&format!("groups/{email}/members"), "members").await;
        assert_eq!(group["directMembersCount"], of_group.len().to_string());
        members.extend(of_group);
    }
    assert_eq!(stage.state().memberships, members.len());
    (users, groups, members)
}

#[tokio::test]
async fn the_default_sample_shows_everything_a_source_must_cope_with() {
    let sample = Sample::default();
    let (users, groups, members) = everything(&sample).await;
    assert_eq!((users.len(), groups.len(), members.len()), (sample.users, sample.groups, sample.memberships));
    let addresses: Vec<_> = groups.iter().filter_map(|group| group["email"].as_str()).collect();
    for expected in ["grp_acme_admin@example.com", "grp_acme_all@example.com"] {
        assert!(addresses.contains(&expected), "{expected}");
    }
    assert!(addresses.iter().any(|address| !address.starts_with("grp_acme_")));
    for kind in ["USER", "GROUP", "CUSTOMER"] {
        assert!(members.iter().any(|member| member["type"] == kind), "{kind}");
    }
    let people = Organisation::sample(&sample).people();
    assert_eq!(people.len(), sample.users);
    assert!(people.iter().any(|person| person.email == "ann@commune-a.fr" && person.siret.is_some()));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_sample_and_another_another() {
    let sample = Sample { users: 900, groups: 40, memberships: 5000, ..Sample::default() };
    let first = everything(&sample).await;
    assert_eq!(first.0.len(), 900);
    assert_eq!(first, everything(&sample).await);
    assert_ne!(first.2, everything(&Sample { seed: 7, ..sample }).await.2);
}

/// Prints how long a full read takes: `cargo test -p entitled-simulator -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_full_read_of_a_large_sample() {
    let sample = Sample { users: 20_000, groups: 2_000, memberships: 200_000, ..Sample::default() };
    let stage =
        Stage::with(SimulatorConfig { organisation: Organisation::sample(&sample), ..Default::default() }).await;
    let users = stage.all("users?customer=my_customer&maxResults=500", "users").await.len();
    println!("{users} users after {} ms", last_request_ms(&stage));
    let groups = stage.all("groups?customer=my_customer", "groups").await;
    println!("{} groups after {} ms", groups.len(), last_request_ms(&stage));
    let mut members = 0;
    for group in &groups {
        let id = group["id"].as_str().expect("an id");
        members += stage.all(&format!("groups/{id}/members"), "members").await.len();
    }
    println!("{members} memberships after {} ms, {} requests", last_request_ms(&stage), stage.count(System::Google));
}

fn last_request_ms(stage: &Stage) -> u64 {
    stage.requests(System::Google).last().map_or(0, |request| request.at_ms)
}
