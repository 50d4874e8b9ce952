//! The sample is believable, complete and the same each time.

use entitled_simulator::{Organisation, Sample, SimulatorConfig};
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
