//! What is read from lists, in how few calls, and what stays as it is.

use serde_json::{Value, json};

use crate::stage::{deploycenter, expect, groups_of, know_member, tables};
use crate::support::{Ended, SIRET};
use crate::{ANN, B, BOB, crowd, enumerating, member, on_both_stores, requests};

const ADMIN_OF_BOTH: [&str; 2] = ["maildomain:commune-a.fr:admin", "maildomain:ville-a.fr:admin"];

fn stated<'a>(user: &'a Value, key: &str) -> &'a Value {
    let entitlements = user["entitlements"].as_array().expect("entitlements");
    entitlements.iter().find(|one| one["key"] == key).expect("the entitlement")
}

on_both_stores! {
    async fn many_users_are_read_in_a_few_calls(world: World) {
        // S3, S12
        let mut world = world;
        enumerating(&mut world, 0);
        world.org().add_organisation(B, true).subscribe_domains(B, &["commune-b.fr"]);
        crowd(&world, 12).await;
        let unchanged = deploycenter(&world, &[]).await;
        expect(&unchanged, 0, "unchanged");
        assert_eq!(requests(&world), (3, 0), "the organisations, and the accounts of both");

        world.org().set_roles(&member(7), SIRET, &["admin"]).set_domains(&member(8), B, ["commune-b.fr"]);
        let applied = deploycenter(&world, &[]).await;
        expect(&applied, 0, "applied");
        let observed_at = |run: &Ended| run.source("deploycenter")["observed_at"].as_str().expect("a time").to_owned();
        assert!(observed_at(&applied) > observed_at(&unchanged), "lists are observed when they are read");
        assert_eq!(requests(&world), (3, 0));
        assert_eq!(groups_of(&world, &member(7), "deploycenter").await, ADMIN_OF_BOTH);
        assert_eq!(groups_of(&world, &member(8), "deploycenter").await, ["maildomain:commune-b.fr:admin"]);

        let before = tables(&world, &["event", "membership", "entitlement"]).await;
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
        assert_eq!(tables(&world, &["event", "membership", "entitlement"]).await, before, "the same again is no news");
    }

    async fn whoever_would_lose_something_is_asked_about_first(world: World) {
        // S12
        let mut world = world;
        enumerating(&mut world, 0);
        crowd(&world, 6).await;
        world.org().set_roles(&member(0), SIRET, &[]);
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("deploycenter")["counts"]["removed"], 2, "{ended:?}");
        assert_eq!(requests(&world), (2, 1));
        assert_eq!(groups_of(&world, &member(0), "deploycenter").await, [""; 0]);
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
        assert_eq!(requests(&world), (2, 0));
    }

    async fn a_user_who_was_never_asked_about_is_asked_about_alone(world: World) {
        let mut world = world;
        enumerating(&mut world, 0);
        crowd(&world, 3).await;
        know_member(&world, ANN).await;
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        assert_eq!(requests(&world), (2, 1));
        assert_eq!(stated(&world.user(ANN).await, "can_access")["value"], true, "all of the answer is stored");
    }

    async fn a_sample_is_asked_about_in_every_run(world: World) {
        let mut world = world;
        enumerating(&mut world, 4);
        crowd(&world, 9).await;
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
        assert_eq!(requests(&world), (2, 4));
        world.org().set_page_rows(2);
        world.org().set_roles(&member(1), SIRET, &[]).set_roles(&member(2), SIRET, &[]);
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
        assert_eq!(requests(&world), (3, 4), "one page of organisations, two of accounts");
    }

    async fn users_are_asked_about_alone_when_they_are_named(world: World) {
        let mut world = world;
        enumerating(&mut world, 4);
        crowd(&world, 3).await;
        expect(&deploycenter(&world, &["--user", &member(0)]).await, 0, "unchanged");
        assert_eq!(requests(&world), (0, 1));
    }

    async fn other_entitlements_stay_as_they_were_answered(world: World) {
        // D10
        let mut world = world;
        enumerating(&mut world, 0);
        world.org().set_entitlement(&member(0), "unicorn", json!({"horn": 1}));
        crowd(&world, 2).await;
        let before = world.user(&member(0)).await;
        assert_eq!(stated(&before, "unicorn")["value"], json!({"horn": 1}));
        world.org().set_entitlement(&member(0), "unicorn", json!(2));
        world.org().subscribe_domains(SIRET, &["commune-a.fr", "ville-a.fr", "new-a.fr"]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        assert_eq!(requests(&world), (2, 0));
        let after = world.user(&member(0)).await;
        assert_eq!(stated(&after, "can_admin_maildomains")["value"], json!(["commune-a.fr", "ville-a.fr", "new-a.fr"]));
        for key in ["unicorn", "can_access", "can_store"] {
            assert_eq!(stated(&after, key), stated(&before, key), "its value, and how old it is");
        }
    }

    async fn an_organisation_without_an_active_subscription_says_nothing(world: World) {
        // S7
        let mut world = world;
        enumerating(&mut world, 0);
        crowd(&world, 3).await;
        let before = tables(&world, &["membership"]).await;
        let administrator = "only the administrator has something to lose, and is asked about";
        world.org().add_organisation(SIRET, false);
        assert_eq!(deploycenter(&world, &[]).await.source("deploycenter")["counts"]["removed"], 0);
        assert_eq!(requests(&world), (1, 1), "{administrator}");
        world.org().remove_organisation(SIRET);
        assert_eq!(deploycenter(&world, &[]).await.source("deploycenter")["counts"]["removed"], 0);
        assert_eq!(requests(&world), (1, 1), "{administrator}");
        let user = world.user(&member(0)).await;
        assert_eq!(stated(&user, "can_access_reason")["value"], "no_organization");
        assert_eq!(stated(&user, "can_admin_maildomains")["value"], json!(["commune-a.fr", "ville-a.fr"]));
        assert_eq!(tables(&world, &["membership"]).await, before);
    }

    async fn a_domain_that_is_not_provisioned_becomes_a_membership_when_it_is(world: World) {
        // D6
        let mut world = world;
        enumerating(&mut world, 0);
        world.environment.push(("PROVISIONING_KEY".to_owned(), "provisioning-key".to_owned()));
        let key = "[[http.keys]]\nname = \"deploycenter\"\nsecret = { env = \"PROVISIONING_KEY\" }\n\
                   scopes = [\"provision:maildomain\"]\n";
        world.configure_also(&format!("\n{key}"));
        crowd(&world, 2).await;
        world.org().set_roles(&member(1), SIRET, &["admin"]);
        expect(&deploycenter(&world, &[]).await, 0, "applied");
        assert_eq!(requests(&world), (2, 0));
        let user = world.user(&member(1)).await;
        assert_eq!(user["memberships"], json!([]), "nothing is provisioned yet");
        assert_eq!(stated(&user, "can_admin_maildomains")["value"], json!(["commune-a.fr", "ville-a.fr"]));
        let daemon = world.serve().await;
        let url = format!("{}/api/v1/provisioning/maildomains", daemon.base);
        let body = json!({"domains": "ville-a.fr"});
        let answer = reqwest::Client::new().post(url).bearer_auth("provisioning-key").json(&body).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
        assert_eq!(groups_of(&world, &member(1), "deploycenter").await, ["maildomain:ville-a.fr:admin"]);
        expect(&deploycenter(&world, &[]).await, 0, "unchanged");
        assert_eq!(daemon.terminate().await, 0);
    }

    async fn the_administrators_of_an_operator_keep_what_no_list_shows(world: World) {
        let mut world = world;
        enumerating(&mut world, 10);
        let operator = world.simulator.operator_id();
        world.org().set_operator(SIRET, operator, true).add_operator_admin(operator, ANN).add_operator_admin(operator, BOB);
        know_member(&world, ANN).await;
        know_member(&world, BOB).await;
        crowd(&world, 2).await;
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 0, "unchanged");
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, ADMIN_OF_BOTH);
        assert!(!ended.stderr.contains("disagree"), "it is known that lists don't show them: {ended:?}");
    }

    async fn what_another_operators_organisation_gives_is_kept_and_told(world: World) {
        let mut world = world;
        enumerating(&mut world, 0);
        world.org().add_organisation(B, true).set_operator(B, "f2c6cf60-eeac-414d-a110-c041173c3a53", false);
        world.org().set_domains(ANN, B, ["commune-b.fr"]);
        know_member(&world, ANN).await;
        crowd(&world, 2).await;
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 0, "unchanged");
        assert_eq!(requests(&world), (2, 1), "the lists lack what is stored, so the user is asked about");
        assert!(ended.stderr.contains("disagree"), "{ended:?}");
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, ["maildomain:commune-b.fr:admin"]);
    }

    async fn the_doctor_reads_the_lists(world: World) {
        let mut world = world;
        enumerating(&mut world, 0);
        assert_eq!(world.run(&["migrate", "up"]).await.code, 0);
        let well = world.run(&["doctor"]).await;
        assert!(well.stdout.contains("ok    lists of source deploycenter"), "{well:?}");
        world.environment.push(("OPERATOR_KEY".to_owned(), "wrong-key".to_owned()));
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        let told = ended.stdout.lines().find(|line| line.contains("lists of source deploycenter")).expect("told");
        assert!(told.starts_with("FAIL") && told.contains("sources.deploycenter.enumerate.operator_key"), "{told}");
        assert!(!ended.stdout.contains("wrong-key"), "{ended:?}");
    }

    async fn an_account_of_another_case_administers_nothing_as_upstream(world: World) {
        // the per-user endpoint matches exactly, so the lists must
        let mut world = world;
        enumerating(&mut world, 10);
        world.org().set_roles("Ann@Commune-A.FR", SIRET, &["admin"]);
        know_member(&world, ANN).await;
        crowd(&world, 2).await;
        let ended = deploycenter(&world, &[]).await;
        expect(&ended, 0, "unchanged");
        assert!(!ended.stderr.contains("disagree"), "{ended:?}");
        assert_eq!(groups_of(&world, ANN, "deploycenter").await, [""; 0]);
    }
}
