//! Answers that are well-formed and yet not what they seem, and places that can't be written to.

use std::process::Stdio;

use crate::on_both_stores;
use crate::stage::{deploycenter, expect, google, groups_of, know_member};
use crate::support::{Ended, SIRET};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";
const BOB: &str = "bob@commune-a.fr";

fn answering(code: u16, body: &serde_json::Value) -> Fault {
    Fault::Status { code, body: Some(body.to_string()), retry_after: None }
}

fn google_error(code: u16, reason: &str, message: &str) -> serde_json::Value {
    json!({"error": {"code": code, "message": message, "errors": [{"domain": "global", "reason": reason, "message": message}]}})
}

on_both_stores! {
    async fn an_answer_that_no_store_can_keep_fails_its_user_alone(world: World) {
        // S8, S15
        know_member(&world, ANN).await;
        know_member(&world, BOB).await;
        for key in ["w\0x".to_owned(), "k".repeat(300_000)] {
            world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).set_domains(BOB, SIRET, ["commune-a.fr"]);
            expect(&deploycenter(&world, &["--user", BOB]).await, 0, "applied");
            let odd = json!({"entitlements": {"can_access": true, key: 1}});
            world.org().fault(Target::system(System::Deploycenter).user(ANN), answering(200, &odd));
            world.org().set_domains(BOB, SIRET, ["ville-a.fr"]);
            let ended = deploycenter(&world, &[]).await;
            assert_eq!((ended.code, &ended.source("deploycenter")["error"]["class"]), (3, &json!("malformed")), "{ended:?}");
            assert_eq!(groups_of(&world, BOB, "deploycenter").await, ["maildomain:ville-a.fr:admin"]);
            world.org().clear_faults();
        }
    }

    async fn an_error_within_a_200_is_not_an_empty_directory(world: World) {
        // S5, G1
        world.org().add_member("grp_acme_a@example.com", ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        let error = answering(200, &google_error(500, "backendError", "Backend Error"));
        world.org().fault(Target::system(System::Google), error);
        for scope in [&["--user", ANN][..], &[]] {
            let ended = google(&world, scope).await;
            assert_eq!((ended.code, &ended.source("google_sync")["error"]["class"]), (3, &json!("malformed")), "{ended:?}");
            assert_eq!(groups_of(&world, ANN, "google_sync").await, ["grp_acme_a@example.com"]);
        }
    }

    async fn only_the_words_for_a_missing_user_are_that_users_absence(world: World) {
        // G6
        world.org().add_member("grp_acme_a@example.com", ANN);
        expect(&google(&world, &[]).await, 0, "applied");
        for (code, reason, message) in [
            (412, "conditionNotMet", "Domain is suspended"),
            (412, "conditionNotMet", "Precondition check failed."),
            (404, "notFound", "Domain not found."),
        ] {
            let error = answering(code, &google_error(code, reason, message));
            world.org().fault(Target::system(System::Google).path_contains("/groups"), error);
            let ended = google(&world, &["--user", ANN]).await;
            assert_eq!((ended.code, &ended.source("google_sync")["error"]["class"]), (3, &json!("malformed")), "{message}");
            assert_eq!(groups_of(&world, ANN, "google_sync").await, ["grp_acme_a@example.com"], "{message}");
            world.org().clear_faults();
        }
        let gone = answering(412, &google_error(412, "conditionNotMet", "User is deleted"));
        world.org().fault(Target::system(System::Google).path_contains("/groups"), gone);
        expect(&google(&world, &["--user", ANN]).await, 0, "applied");
        assert_eq!(groups_of(&world, ANN, "google_sync").await, [""; 0]);
    }

    async fn numbers_are_kept_digit_by_digit(world: World) {
        // D10
        know_member(&world, ANN).await;
        let body = r#"{"entitlements": {"can_access": true, "big": 12345678901234567890123, "fine": 0.1234567890123456789012345}}"#;
        let fault = Fault::Status { code: 200, body: Some(body.to_owned()), retry_after: None };
        world.org().fault(Target::system(System::Deploycenter), fault);
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "applied");
        let shown = world.run(&["user", "show", ANN, "--output", "json"]).await.stdout;
        assert!(shown.contains("12345678901234567890123"), "{shown}");
        assert!(shown.contains("0.1234567890123456789012345"), "{shown}");
        expect(&deploycenter(&world, &["--user", ANN]).await, 0, "unchanged");
    }

    async fn an_answer_that_can_t_be_written_is_no_success(world: World) {
        for arguments in [&["user", "list"][..], &["sync", "--source", "google_sync", "--output", "json"]] {
            world.run(&["sync", "--source", "google_sync"]).await;
            let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
            let mut command = world.command(arguments);
            let running = command.stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
            let ended = Ended::from(running.wait_with_output().await.expect("it ends"));
            assert_eq!(ended.code, 1, "{ended:?}");
            assert!(ended.stderr.contains("stdout"), "{ended:?}");
        }
    }

    async fn a_key_that_can_t_sign_is_found_by_config_check(world: World) {
        let key = world.path().join("key.json");
        let broken = std::fs::read_to_string(&key).expect("the key").replace("MII", "MIJ");
        std::fs::write(&key, broken).expect("written");
        let checked = world.run(&["config", "check"]).await;
        assert_eq!(checked.code, 2, "{checked:?}");
        assert!(checked.stderr.contains("sources.google_sync.credentials"), "{checked:?}");
        let examined = world.run(&["doctor"]).await;
        assert_eq!(examined.code, 1, "{examined:?}");
        assert!(examined.stdout.contains("FAIL"), "{examined:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_and_not_made() {
    let world = crate::support::World::new(crate::support::Kind::Sqlite).await;
    for arguments in [&["user", "list"][..], &["group", "list"], &["verify"], &["rebuild"]] {
        let ended = world.run(arguments).await;
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("there is no database at"), "{ended:?}");
    }
    assert!(!world.path().join("entitled.db").exists());
}
