//! Many logins of one user at the same time.

use std::sync::Arc;

use entitled_simulator::{Fault, System, Target};
use serde_json::json;

use crate::answer::{ANN, DOMAIN_A, GROUP_A, ann, enrol_ann, freshness, groups, login, never_cached};
use crate::on_both_stores;
use crate::support::SIRET;

const LOGINS: usize = 50;

on_both_stores! {
    async fn fifty_logins_of_one_user_at_once_make_one_call_to_each_source(world: World) {
        // D9 S10
        let mut world = world;
        never_cached(&mut world);
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        world.configure_also("[hooks.login]\ndeadline = \"1s\"\n");
        enrol_ann(&world);
        let daemon = Arc::new(world.serve().await);
        // The very first question to a source is waited for by all others, whoever they ask about: it comes before.
        login(&daemon, &ann()).await;
        world.org().clear_requests().set_domains(ANN, SIRET, ["commune-b.fr"]);
        for system in [System::Deploycenter, System::Google] {
            world.org().fault(Target::system(system), Fault::hold("all"));
        }
        let one = |_| {
            let daemon = Arc::clone(&daemon);
            tokio::spawn(async move { login(&daemon, &ann()).await })
        };
        for answered in (0..LOGINS).map(one).collect::<Vec<_>>() {
            let answer = answered.await.expect("answered");
            assert_eq!((freshness(&answer, "deploycenter"), groups(&answer)), ("stale", vec![GROUP_A, DOMAIN_A]));
        }
        // Nothing has come back yet, so that all of them were under way together.
        assert_eq!((world.org().count(System::Deploycenter), world.org().count(System::Google)), (1, 1));
        world.org().release("all");
        let ended = |line: &serde_json::Value| line["message"] == "run ended" && line["trigger"] == "login";
        daemon.wait_for_logs(4, ended).await;
        let memberships = world.user(ANN).await["memberships"].clone();
        assert_eq!(memberships[1]["group"], "maildomain:commune-b.fr:admin", "{memberships}");
    }

    async fn fifty_first_logins_of_a_newcomer_at_once_create_one_user(world: World) {
        // S10
        let daemon = Arc::new(world.serve().await);
        let body = json!({"sub": "sub-new", "email": "New@example.org", "claims": {"siret": SIRET}});
        let one = |_| {
            let (daemon, body) = (Arc::clone(&daemon), body.clone());
            tokio::spawn(async move { login(&daemon, &body).await["user"]["id"].clone() })
        };
        let mut ids = Vec::new();
        for answered in (0..LOGINS).map(one).collect::<Vec<_>>() {
            ids.push(answered.await.expect("answered"));
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
        assert_eq!(world.org().count(System::Deploycenter), 1, "the answer of one serves all");
    }
}
