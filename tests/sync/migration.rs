//! The schema goes up and down, several at once, and another one than expected is refused.

use crate::on_both_stores;
use crate::stage::{expect, google, table};
use crate::support::{Ended, Kind, World};

const ALL: &str = "SELECT count(*) FROM seaql_migrations";

async fn migrate(world: &World, arguments: &[&str]) -> Ended {
    let ended = world.run(&[&["migrate"], arguments].concat()).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

/// `applied` or `pending`, a step each, oldest first.
async fn status(world: &World) -> Vec<String> {
    let status = migrate(world, &["status"]).await.stdout;
    status.lines().map(|line| line.split(' ').next().expect("a word").to_owned()).collect()
}

on_both_stores! {
    async fn the_schema_goes_up_once_and_down_by_steps(world: World) {
        // H2
        let fresh = status(&world).await;
        assert!(fresh.len() >= 3 && fresh.iter().all(|step| step == "pending"), "{fresh:?}");
        if world.database.kind() == Kind::Sqlite {
            assert!(!world.path().join("entitled.db").exists(), "looking creates nothing");
        }
        let first = migrate(&world, &["up"]).await;
        assert_eq!(first.stdout.lines().count(), fresh.len(), "{first:?}");
        migrate(&world, &["up"]).await;
        assert!(status(&world).await.iter().all(|step| step == "applied"));
        migrate(&world, &["down"]).await;
        let mut below = status(&world).await;
        assert_eq!(below.pop().as_deref(), Some("pending"));
        assert!(below.iter().all(|step| step == "applied"), "{below:?}");
        migrate(&world, &["down", "--all"]).await;
        assert!(status(&world).await.iter().all(|step| step == "pending"));
        migrate(&world, &["down", "--all"]).await;
        let left = match world.database.kind() {
            Kind::Sqlite => {
                "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'seaql_%' AND name NOT LIKE 'sqlite_%'"
            }
            Kind::Postgres => {
                "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'seaql_%')
                    + (SELECT count(*) FROM information_schema.routines WHERE routine_schema = 'public')"
            }
        };
        assert_eq!(world.count(left).await, 0, "nothing is left behind");
        migrate(&world, &["up"]).await;
        world.org().add_member("grp_acme_a@example.com", "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn several_processes_may_migrate_at_once(world: World) {
        // H2
        let commands = (0..6).map(|_| world.command(&["migrate", "up"])).collect::<Vec<_>>();
        let running = commands
            .into_iter()
            .map(|mut command| tokio::spawn(async move { command.output().await }))
            .collect::<Vec<_>>();
        let mut applied = 0;
        for running in running {
            let ended = Ended::from(running.await.expect("no panic").expect("it starts"));
            assert_eq!(ended.code, 0, "{ended:?}");
            applied += usize::from(ended.stdout.contains("applied"));
        }
        assert_eq!(applied, 1, "one of them did it, and said so");
        assert_eq!(world.count(ALL).await, i64::try_from(status(&world).await.len()).expect("small"));
        assert_eq!(world.count("SELECT count(*) FROM user_group").await, 2, "the system groups, once");
    }

    async fn several_first_syncs_at_once_find_one_schema(world: World) {
        // H2
        world.org().add_member("grp_acme_a@example.com", "ann@example.org");
        let running = (0..4).map(|_| google(&world, &["--user", "ann@example.org"]));
        for ended in futures_util::future::join_all(running).await {
            assert_eq!(ended.code, 0, "{ended:?}");
        }
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
        assert_eq!(table(&world, "membership").await.len(), 1);
    }

    async fn a_schema_that_may_not_be_migrated_here_is_refused_with_the_command_to_run(world: World) {
        // H2
        let mut world = world;
        let may = if world.database.kind() == Kind::Postgres { "" } else { "auto_migrate = false" };
        world.configure("auto_migrate = true", may);
        for arguments in [&["sync"][..], &["verify"], &["rebuild"], &["user", "list"]] {
            let refused = world.run(arguments).await;
            assert_eq!(refused.code, 2, "{arguments:?}: {refused:?}");
            assert!(refused.stderr.contains("entitled migrate up"), "{arguments:?}: {refused:?}");
        }
        assert!(status(&world).await.iter().all(|step| step == "pending"));
        migrate(&world, &["up"]).await;
        expect(&google(&world, &[]).await, 0, "unchanged");
    }

    async fn an_embedded_store_migrates_itself_unless_it_is_told_not_to(world: World) {
        // H2
        let mut world = world;
        world.configure("auto_migrate = true", "");
        let ended = google(&world, &[]).await;
        assert_eq!(ended.code, if world.database.kind() == Kind::Sqlite { 0 } else { 2 }, "{ended:?}");
    }

    async fn a_schema_of_a_newer_version_is_refused(world: World) {
        // H2, H1
        expect(&google(&world, &[]).await, 0, "unchanged");
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000099_future', 0)";
        world.database.execute(newer).await;
        for arguments in [&["sync"][..], &["migrate", "up"], &["verify"]] {
            let refused = world.run(arguments).await;
            assert_eq!(refused.code, 2, "{arguments:?}: {refused:?}");
            assert!(refused.stderr.contains("m29991231_000099_future"), "{arguments:?}: {refused:?}");
        }
        world.database.execute("DELETE FROM seaql_migrations WHERE version LIKE 'm2999%'").await;
        expect(&google(&world, &[]).await, 0, "unchanged");
    }
}
