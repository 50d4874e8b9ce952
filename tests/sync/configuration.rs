//! A configuration that can't be used is refused before anything is done, with every problem named.

use crate::on_both_stores;
use crate::stage::table;
use crate::support::{Ended, World};

/// A world whose configuration will never be fit to verify its store with.
fn unfit(world: World) -> World {
    let mut world = world;
    world.leave_damaged();
    world
}

/// Insists on exit code 2 and on the pieces of text, from `sync` and from `config check` alike.
async fn refused(world: &World, pieces: &[&str]) -> Ended {
    let checked = world.run(&["config", "check"]).await;
    let synced = world.run(&["sync"]).await;
    for ended in [&checked, &synced] {
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        for piece in pieces {
            assert!(ended.stderr.contains(piece), "no {piece:?} in {}", ended.stderr);
        }
    }
    assert!(!world.path().join("entitled.db").exists(), "nothing is opened");
    synced
}

on_both_stores! {
    async fn each_mistake_is_named_with_its_file_and_key(world: World) {
        let mut world = world;
        let sound = world.config.clone();
        for (before, after, pieces) in [
            (
                "service_id = 42",
                "service_id = 42\nservce = 1",
                &["entitled.toml:", "sources.deploycenter.servce", "unknown key"][..],
            ),
            ("service_id = 42", "service_id = 42\ntimeot = \"1s\"", &["sources.deploycenter.timeot", "`timeout`"]),
            ("service_id = 42", "service_id = \"x\"", &["entitled.toml:", "sources.deploycenter.service_id"]),
            ("listen = \"127.0.0.1:0\"", "listen = 8420", &["http.listen"]),
            (
                "service_id = 42",
                "service_id = 42\nschedule = \"every day\"",
                &["sources.deploycenter.schedule", "cron"],
            ),
            (
                "service_id = 42",
                "service_id = 42\nschedule = \"*/5 * * * *\"",
                &["sources.deploycenter.schedule", "seconds first"],
            ),
            (
                "token = { env = \"DEPLOYCENTER_TOKEN\" }",
                "token = { env = \"NOT_THERE\" }",
                &["sources.deploycenter.token", "NOT_THERE"],
            ),
            (
                "token = { env = \"DEPLOYCENTER_TOKEN\" }",
                "token = \"secret-in-clear\"",
                &["sources.deploycenter.token"],
            ),
            (
                "customer = \"my_customer\"",
                "customer = \"my_customer\"\ndomain = \"example.com\"",
                &["sources.google_sync"],
            ),
            ("[sources.google_sync]", "[sources.admin]", &["sources.admin", "reserved"]),
            ("[sources.google_sync]", "[sources.Google]", &["sources.Google"]),
            ("[sources.google_sync]", "[sources.deploycenter]", &["entitled.toml", "deploycenter"]),
            ("kind = \"deploycenter\"", "kind = \"deploycentre\"", &["sources.deploycenter.kind", "google_workspace"]),
            ("config_version = 1", "config_version = 2", &["config_version"]),
            ("[database]", "[database", &["entitled.toml:3"]),
            ("timeout = \"2s\"", "timeout = \"soon\"", &["sources.deploycenter.timeout", "duration"]),
            ("retry = { attempts = 1 }", "guard = { max_removal_ratio = 1.5 }", &["guard.max_removal_ratio"]),
        ] {
            world.configure(before, after);
            let ended = refused(&world, pieces).await;
            assert!(!ended.stderr.contains("secret-in-clear"), "{ended:?}");
            world.config = sound.clone();
        }
    }

    async fn all_problems_of_a_file_are_told_together(world: World) {
        let mut world = unfit(world);
        world.configure("service_id = 42", "service_id = \"x\"\nschedule = \"never\"\nwhat = 1");
        world.configure("base_url = \"http", "base_url = \"no url http");
        world.configure("/key.json", "/no-such-key.json");
        world.environment.retain(|(name, _)| name != "DEPLOYCENTER_TOKEN");
        let ended = refused(
            &world,
            &[
                "sources.deploycenter.service_id",
                "sources.deploycenter.schedule",
                "sources.deploycenter.what",
                "sources.deploycenter.base_url",
                "sources.deploycenter.token",
                "DEPLOYCENTER_TOKEN",
                "sources.google_sync.credentials",
                "no-such-key.json",
                "6 problems",
            ],
        )
        .await;
        assert_eq!(ended.stderr.matches("entitled.toml:").count(), 6, "each with its place: {ended:?}");
    }

    async fn a_variable_that_is_wrong_is_named_as_such(world: World) {
        let mut world = unfit(world);
        world.environment.push(("ENTITLED_SOURCES__DEPLOYCENTER__TIMEOUT".into(), "soon".into()));
        world.environment.push(("ENTITLED_HTTP__LISEN".into(), "127.0.0.1:1".into()));
        refused(&world, &["ENTITLED_SOURCES__DEPLOYCENTER__TIMEOUT", "ENTITLED_HTTP__LISEN"]).await;
    }

    async fn a_file_that_is_not_there_is_named(world: World) {
        let missing = world.run(&["sync", "--config", "nowhere.toml"]).await;
        assert_eq!(missing.code, 2, "{missing:?}");
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_entitled"));
        command.args(["--config", "nowhere.toml", "sync"]).current_dir(world.path());
        let missing = Ended::from(command.output().await.expect("it starts"));
        assert_eq!(missing.code, 2, "{missing:?}");
        assert!(missing.stderr.contains("nowhere.toml"), "{missing:?}");
    }

    async fn an_unknown_source_is_refused_before_anything_is_asked(world: World) {
        let refused = world.sync(&["--source", "google"]).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
        assert!(
            refused.stderr.contains("google") && refused.stderr.contains("deploycenter, google_sync"),
            "{refused:?}"
        );
        let refused = world.sync(&["--source", "google_sync", "--source", "nope"]).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert_eq!(world.org().count(entitled_simulator::System::Token), 0);
    }

    async fn a_wrong_command_line_exits_two(world: World) {
        for arguments in [
            &["sync", "--what"][..],
            &["sync", "--output", "yaml"],
            &["synk"],
            &["sync", "--user"],
            &["migrate", "sideways"],
        ] {
            let refused = world.run(arguments).await;
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{arguments:?}: {refused:?}");
        }
    }

    async fn a_missing_version_warns_and_global_flags_stand_anywhere(world: World) {
        let mut world = world;
        world.configure("config_version = 1", "");
        let file = world.config_file().display().to_string();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_entitled"));
        command.args(["sync", "--source", "google_sync", "--log-format", "json", "--config", &file]);
        command.envs(world.environment.iter().cloned()).current_dir(world.path());
        let ended = Ended::from(command.output().await.expect("it starts"));
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains("config_version"), "{ended:?}");
        assert_eq!(table(&world, "run").await.len(), 1);
    }

    async fn a_store_that_cannot_be_used_is_an_error_that_says_so(world: World) {
        let mut world = world;
        for (url, code, piece) in [
            ("mysql://localhost/x", 2, "database.url"),
            ("sqlite:///no/such/folder/entitled.db", 2, "/no/such/folder"),
            ("postgres://nobody@127.0.0.1:1/x", 1, "PostgreSQL can't be reached at 127.0.0.1:1"),
        ] {
            world.environment.push(("ENTITLED_DATABASE__URL".into(), url.into()));
            world.environment.push(("ENTITLED_DATABASE__CONNECT_TIMEOUT".into(), "300ms".into()));
            let ended = world.run(&["sync"]).await;
            assert_eq!(ended.code, code, "{url}: {ended:?}");
            assert!(ended.stderr.contains(piece), "{url}: {ended:?}");
            world.environment.truncate(2);
        }
    }
}
