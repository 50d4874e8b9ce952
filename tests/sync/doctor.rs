//! `doctor`: one screen that says what is wrong, with which setting, and what to do.

use crate::on_both_stores;
use crate::stage::{TABLES, expect, know_member, migrated, tables};
use crate::support::{Ended, Kind, SIRET, World};
use entitled_simulator::{Fault, System, Target};
use serde_json::json;

const ANN: &str = "ann@commune-a.fr";
const GROUPS: &str = "https://www.googleapis.com/auth/admin.directory.group.readonly";
const USERS: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly";

/// Ann, known here and to both sources.
async fn with_ann(world: &World) -> String {
    let ann = know_member(world, ANN).await;
    world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member("grp_acme_a@example.com", ANN);
    expect(&world.sync(&["--user", ANN]).await, 0, "applied");
    ann.to_string()
}

/// Insists on a line that begins like this, says all of this, and is followed by help that names this.
#[track_caller]
fn told(ended: &Ended, begins: &str, says: &[&str], helps: &str) {
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let found = lines.iter().position(|line| line.starts_with(begins) && says.iter().all(|word| line.contains(word)));
    let found = found.unwrap_or_else(|| panic!("no line {begins:?} with {says:?}: {ended:?}"));
    let help = lines.get(found + 1).copied().unwrap_or_default();
    assert!(help.starts_with("      help: ") && help.contains(helps), "{help:?} has no {helps:?}: {ended:?}");
    assert!(!ended.stdout.contains(ANN), "an address is shown: {ended:?}");
}

/// An HTTP date so many seconds from now.
fn date(seconds: i64) -> String {
    let at = entitled::clock::Clock::system().now() + chrono::TimeDelta::seconds(seconds);
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn google_calls() -> Target {
    Target::system(System::Google)
}

/// An address at which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

on_both_stores! {
    async fn all_is_well_on_one_screen(world: World) {
        // G8, D1
        let ann = with_ann(&world).await;
        let before = tables(&world, &TABLES).await;
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let lines: Vec<&str> = ended.stdout.lines().collect();
        let expected = [
            "ok    source deploycenter: deploycenter answers and takes the credential".to_owned(),
            "ok    source deploycenter: its clock agrees with ours".to_owned(),
            format!("ok    source deploycenter: user {ann}: 1 groups, 4 entitlements"),
            "ok    source google_sync: google_workspace answers and takes the credential".to_owned(),
            "ok    source google_sync: may read groups, members, users".to_owned(),
            "ok    source google_sync: its clock agrees with ours".to_owned(),
            format!("ok    source google_sync: user {ann}: 1 groups, 0 entitlements"),
        ];
        assert!(lines[0].starts_with("ok    store: ") && lines[1].starts_with("ok    schema: m2"), "{ended:?}");
        assert_eq!(lines[2..], expected, "{ended:?}");
        assert_eq!(tables(&world, &TABLES).await, before, "it writes nothing");
    }

    async fn the_same_is_told_as_one_document(world: World) {
        with_ann(&world).await;
        let document = world.run(&["doctor", "--output", "json"]).await.json();
        assert_eq!(document["well"], true, "{document}");
        world.org().fault(google_calls().path_contains("/users"), Fault::google_error(403, "forbidden"));
        let ended = world.run(&["doctor", "--output", "json"]).await;
        assert_eq!((ended.code, &ended.json()["well"]), (1, &json!(false)), "{ended:?}");
        let document = ended.json();
        let findings = document["findings"].as_array().expect("a list");
        let failed: Vec<_> = findings.iter().filter(|finding| finding["verdict"] == "fail").collect();
        assert_eq!((failed.len(), &failed[0]["what"]), (1, &json!("source google_sync")), "{document}");
    }

    async fn with_nobody_known_the_sources_are_asked_about_nobody(world: World) {
        // G6
        migrated(&world).await;
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(!ended.stdout.contains("user "), "{ended:?}");
        assert!(ended.stdout.contains("ok    source google_sync: may read groups, users"), "{ended:?}");
    }

    async fn a_credential_that_is_refused_is_named_with_its_setting(world: World) {
        // D8, G7
        let mut world = world;
        with_ann(&world).await;
        world.environment.push(("DEPLOYCENTER_TOKEN".to_owned(), "wrong".to_owned()));
        let key = world.path().join("key.json");
        let another = std::fs::read_to_string(&key).expect("the key").replace("entitled@", "another@");
        std::fs::write(&key, another).expect("written");
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        told(&ended, "FAIL  source deploycenter: ", &["unauthorized", "sources.deploycenter.service_id"], "sources.deploycenter.token");
        told(&ended, "FAIL  source google_sync: ", &["unauthorized", "sources.google_sync.subject"], "sources.google_sync.credentials");
        assert!(!ended.stdout.contains("may not read"), "nothing is open, so no right is missing: {ended:?}");
    }

    async fn a_source_that_can_t_be_reached_is_named_with_its_setting(world: World) {
        // S5
        let mut world = world;
        with_ann(&world).await;
        for (setting, path) in [("DEPLOYCENTER__BASE_URL", "/"), ("GOOGLE_SYNC__API_BASE", "")] {
            let address = format!("http://{}{path}", closed_port());
            world.environment.push((format!("ENTITLED_SOURCES__{setting}"), address));
        }
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        told(&ended, "FAIL  source deploycenter: ", &["connect", "refused"], "sources.deploycenter.base_url");
        told(&ended, "FAIL  source google_sync: ", &["connect", "refused"], "sources.google_sync.api_base");
    }

    async fn a_scope_that_is_not_delegated_is_named(world: World) {
        // G7, G8
        with_ann(&world).await;
        for (delegated, open, missing, scope) in
            [(GROUPS, "may read groups, members", "may not read users", USERS), (USERS, "may read users", "may not read groups", GROUPS)]
        {
            world.org().delegate_scopes(&[delegated]);
            let ended = world.run(&["doctor"]).await;
            assert_eq!(ended.code, 1, "{ended:?}");
            assert!(ended.stdout.contains(&format!("ok    source google_sync: {open}\n")), "{ended:?}");
            told(&ended, "FAIL  source google_sync: ", &[missing, "unauthorized"], scope);
        }
    }

    async fn a_role_that_is_missing_is_named(world: World) {
        // G7
        with_ann(&world).await;
        world.org().fault(google_calls().path_contains("/users"), Fault::google_error(403, "forbidden"));
        world.org().fault(google_calls().path_contains("/members"), Fault::google_error(403, "forbidden"));
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        for opens in ["members", "users"] {
            let missing = format!("may not read {opens}");
            told(&ended, "FAIL  source google_sync: ", &[&missing, "forbidden"], "sources.google_sync.subject");
        }
    }

    async fn a_clock_that_is_wrong_warns_and_then_fails(world: World) {
        // S17, G8
        with_ann(&world).await;
        for (seconds, code, begins, which) in
            [(30, 0, "warn  ", "ahead of ours"), (-30, 0, "warn  ", "behind ours"), (90, 1, "FAIL  ", "ahead of ours"), (-90, 1, "FAIL  ", "behind ours")]
        {
            world.org().fault(google_calls(), Fault::set_header("Date", &date(seconds)));
            let ended = world.run(&["doctor"]).await;
            assert_eq!(ended.code, code, "{seconds}: {ended:?}");
            told(&ended, &format!("{begins}source google_sync: "), &["its clock is", which], "NTP");
            assert!(ended.stdout.contains("ok    source deploycenter: its clock agrees"), "{ended:?}");
            world.org().clear_faults();
        }
    }

    async fn what_is_left_of_a_source_s_limit_is_told(world: World) {
        // S17
        with_ann(&world).await;
        let backend = || Target::system(System::Deploycenter);
        world.org().fault(backend(), Fault::set_header("X-RateLimit-Limit", "60"));
        for (left, begins) in [("7", "ok    "), ("0", "warn  ")] {
            world.org().fault(backend(), Fault::set_header("X-RateLimit-Remaining", left));
            let ended = world.run(&["doctor"]).await;
            assert_eq!(ended.code, 0, "{ended:?}");
            let line = format!("{begins}source deploycenter: {left} of 60 calls left");
            assert!(ended.stdout.contains(&line), "{ended:?}");
        }
    }

    async fn a_schema_that_is_another_is_told_with_the_command_that_helps(world: World) {
        // H1
        with_ann(&world).await;
        let newest = "(SELECT max(version) FROM seaql_migrations)";
        world.database.execute(&format!("DELETE FROM seaql_migrations WHERE version = {newest}")).await;
        let older = world.run(&["doctor"]).await;
        assert_eq!(older.code, 1, "{older:?}");
        told(&older, "FAIL  schema: ", &["expects"], "entitled migrate up");
        world.database.execute("INSERT INTO seaql_migrations VALUES ('m99991231_000001_later', 0)").await;
        told(&world.run(&["doctor"]).await, "FAIL  schema: ", &["m99991231_000001_later"], "a newer one");
    }

    async fn a_database_that_is_not_there_is_told_and_not_made(world: World) {
        // H1
        let mut world = world;
        let begins = match world.database.kind() {
            Kind::Sqlite => "FAIL  store: there is no database file yet",
            Kind::Postgres => {
                let address = format!("postgres://entitled@{}/entitled", closed_port());
                let url = world.database.url().to_owned();
                world.configure(&url, &address);
                "FAIL  store: "
            }
        };
        let ended = world.run(&["doctor"]).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        told(&ended, begins, &[], "database.url");
        assert!(ended.stdout.contains("ok    source google_sync: google_workspace answers"), "the rest is examined: {ended:?}");
        assert!(!world.path().join("entitled.db").exists());
        world.leave_damaged();
    }
}
