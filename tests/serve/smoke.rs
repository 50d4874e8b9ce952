//! `scripts/smoke`: it passes where all is well, and fails where anything is not.

use entitled_simulator::{Fault, System, Target};

use crate::answer::{ONCE, directory_alone, enrol_ann, scheduled};
use crate::on_both_stores;
use crate::support::{Daemon, World};

async fn smoke(base: &str, key: Option<&str>) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/smoke");
    let mut command = tokio::process::Command::new(script);
    command.arg(base).env_remove("ENTITLED_SMOKE_KEY");
    if let Some(key) = key {
        command.env("ENTITLED_SMOKE_KEY", key);
    }
    let ended = command.output().await.expect("bash and curl");
    let text = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    (ended.status.code(), text)
}

async fn served(world: &mut World) -> Daemon {
    world.environment.push(("READ_KEY".to_owned(), "read-key".to_owned()));
    world.configure_also("\n[[http.keys]]\nname = \"smoke\"\nsecret = { env = \"READ_KEY\" }\nscopes = [\"read\"]\n");
    directory_alone(world);
    scheduled(world, "google_sync", ONCE);
    enrol_ann(world);
    world.serve().await
}

on_both_stores! {
    async fn it_passes_where_all_is_well_and_fails_on_any_check(world: World) {
        // H3
        let mut world = world;
        let daemon = served(&mut world).await;
        daemon.wait_for_run("google_sync", 0).await;
        let (code, told) = smoke(&daemon.base, Some("read-key")).await;
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(told.lines().filter(|line| line.starts_with("ok    ")).count(), 10, "{told}");
        for (base, key, exit, says) in [
            (daemon.base.as_str(), None, 2, "ENTITLED_SMOKE_KEY is not set"),
            (daemon.base.as_str(), Some("wrong"), 1, "FAIL  groups are listed: 401"),
            ("http://127.0.0.1:1", Some("read-key"), 1, "FAIL  the process is alive: no answer"),
            ("", Some("read-key"), 2, "usage"),
        ] {
            let (code, told) = smoke(base, key).await;
            assert_eq!(code, Some(exit), "{told}");
            assert!(told.contains(says) && !told.contains("all checks passed"), "{says}: {told}");
        }
    }

    async fn a_failing_source_fails_it(world: World) {
        // H3
        let mut world = world;
        world.org().fault(Target::system(System::Google), Fault::Html);
        let daemon = served(&mut world).await;
        daemon.wait_for_run("google_sync", 0).await;
        let (code, told) = smoke(&daemon.base, Some("read-key")).await;
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("FAIL  no source is failing or stale") && told.ends_with("1 checks failed\n"), "{told}");
    }
}
