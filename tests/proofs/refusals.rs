//! Every statement of the unit of work refused in turn, by the database itself: nothing of the run stays, and the next one
//! makes it good.

use std::collections::BTreeMap;
use std::sync::Arc;

use entitled::admin::Admin;
use entitled_model::GroupName;

use crate::on_both_stores;
use crate::parts::configured;
use crate::stage::{deploycenter, expect, google, know_member, migrated, texts};
use crate::support::{Ended, Kind, SIRET, World};

const A: &str = "grp_acme_a@example.com";
const B: &str = "grp_acme_b@example.com";
const GONE: &str = "grp_acme_gone@example.com";
const RENAMED: &str = "grp_acme_renamed@example.com";
const ANN: &str = "ann@commune-a.fr";
const BOB: &str = "bob@commune-a.fr";
const CEM: &str = "cem@commune-a.fr";

/// Written outside of the unit of work: who may run comes before it, and what there is to run before that.
const OUTSIDE: [&str; 3] = ["lease", "source", "seaql_migrations"];
const WORDS: &str = "the disk is on fire";

/// A run that is about to happen, and what it comes to.
struct Scene {
    arguments: Vec<String>,
    code: i32,
    outcome: &'static str,
    /// Of the same run once more.
    again: (i32, &'static str),
}

impl Scene {
    fn of(source: &str) -> Self {
        let arguments = vec!["--source".to_owned(), source.to_owned()];
        Self { arguments, code: 0, outcome: "applied", again: (0, "unchanged") }
    }

    async fn run(&self, world: &World) -> Ended {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        world.sync(&arguments).await
    }
}

/// A directory in which everything happens at once.
async fn directory(world: &World) -> Scene {
    let org = world.org();
    org.add_member(A, ANN).add_member(A, BOB).add_member(B, BOB).add_member(GONE, CEM).suspend_user(CEM);
    org.add_member(A, "dan@commune-a.fr");
    expect(&google(world, &[]).await, 0, "applied");
    org.delete_group(GONE);
    expect(&google(world, &[]).await, 0, "unchanged");
    org.remove_member(A, ANN).add_member(B, ANN).readdress_group(B, RENAMED).reactivate_user(CEM).suspend_user(BOB);
    org.readdress_user("dan@commune-a.fr", "dan@ville-a.fr").remove_alias("dan@ville-a.fr", "dan@commune-a.fr");
    org.delete_group(A).add_member("grp_acme_new@example.com", "eve@commune-a.fr");
    // Group A goes with the second list that does not have it.
    Scene { again: (0, "applied"), ..Scene::of("google_sync") }
}

/// A backend that adds, changes and takes away entitlements, and gives and takes domains.
async fn backend(world: &World) -> Scene {
    for (email, domain) in [(ANN, "commune-a.fr"), (BOB, "commune-b.fr")] {
        know_member(world, email).await;
        world.org().set_domains(email, SIRET, [domain]).set_entitlement(email, "taken", 1.into());
    }
    expect(&deploycenter(world, &[]).await, 0, "applied");
    let org = world.org();
    org.set_domains(ANN, SIRET, ["commune-b.fr", "commune-c.fr"]).set_domains(BOB, SIRET, ["commune-a.fr"]);
    for email in [ANN, BOB] {
        org.reset_entitlement(email, "taken").set_entitlement(email, "given", 1.into());
    }
    Scene::of("deploycenter")
}

/// A plan that is held; there is one from before, which is another by now.
async fn held(world: &World) -> Scene {
    for number in 0..4 {
        world.org().add_member(A, &format!("m{number}@example.org"));
    }
    expect(&google(world, &[]).await, 0, "applied");
    for number in 0..2 {
        world.org().remove_member(A, &format!("m{number}@example.org"));
    }
    expect(&google(world, &[]).await, 4, "held");
    world.org().remove_member(A, "m2@example.org");
    Scene { code: 4, outcome: "held", again: (4, "held"), ..Scene::of("google_sync") }
}

/// A held plan that an operator approves.
async fn approved(world: &World) -> Scene {
    held(world).await;
    let ended = google(world, &[]).await;
    let hash = ended.source("google_sync")["plan_hash"].as_str().expect("a hash").to_owned();
    let mut scene = Scene::of("google_sync");
    scene.arguments.extend(["--approve".to_owned(), hash, "--reason".to_owned(), "they left".to_owned()]);
    scene
}

/// All tables of the schema that are the product's.
async fn all_tables(world: &World) -> Vec<String> {
    let sql = match world.database.kind() {
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1",
        Kind::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    };
    let own = |name: &String| !OUTSIDE.contains(&name.as_str()) && name != "refusal" && name != "touched";
    texts(world, sql).await.into_iter().filter(own).collect()
}

/// Which rows a run writes: how many, by table and kind of statement. Found by letting it happen somewhere else.
async fn written(world: &World, scene: &Scene) -> BTreeMap<(String, String), usize> {
    world.database.execute("CREATE TABLE touched (what TEXT NOT NULL)").await;
    if world.database.kind() == Kind::Postgres {
        let touch = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO touched VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN NULL; END $$";
        world.database.execute(touch).await;
    }
    for table in all_tables(world).await {
        for kind in ["INSERT", "UPDATE", "DELETE"] {
            let does = match world.database.kind() {
                Kind::Sqlite => format!("BEGIN INSERT INTO touched VALUES ('{table} {kind}'); END"),
                Kind::Postgres => "FOR EACH ROW EXECUTE FUNCTION touch()".to_owned(),
            };
            world
                .database
                .execute(&format!("CREATE TRIGGER touch_{table}_{kind} AFTER {kind} ON {table} {does}"))
                .await;
        }
    }
    let ended = scene.run(world).await;
    expect(&ended, scene.code, scene.outcome);
    let mut written = BTreeMap::new();
    for touched in texts(world, "SELECT what FROM touched").await {
        let (table, kind) = touched.split_once(' ').expect("a table and a kind");
        *written.entry((table.to_owned(), kind.to_owned())).or_default() += 1;
    }
    written
}

/// Makes the database refuse the `nth` row of a kind of statement in a table.
async fn refuse(world: &World, (table, kind): (&str, &str), nth: usize) {
    let counted = "UPDATE refusal SET seen = seen + 1";
    world.database.execute("CREATE TABLE refusal (seen INTEGER NOT NULL)").await;
    world.database.execute("INSERT INTO refusal VALUES (0)").await;
    let does = match world.database.kind() {
        Kind::Sqlite => {
            format!("BEGIN {counted}; SELECT RAISE(ABORT, '{WORDS}') FROM refusal WHERE seen >= {nth}; END")
        }
        Kind::Postgres => {
            let refused = format!("IF (SELECT seen FROM refusal) >= {nth} THEN RAISE EXCEPTION '{WORDS}'; END IF;");
            let refuse = format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN {counted}; {refused} RETURN COALESCE(NEW, OLD); END $$"
            );
            world.database.execute(&refuse).await;
            "FOR EACH ROW EXECUTE FUNCTION refuse()".to_owned()
        }
    };
    world.database.execute(&format!("CREATE TRIGGER refused BEFORE {kind} ON {table} {does}")).await;
}

/// Makes the database refuse to commit what writes into a table.
async fn refuse_commit(world: &World, table: &str) {
    match world.database.kind() {
        Kind::Sqlite => {
            let nowhere = "CREATE TABLE refusal (id INTEGER PRIMARY KEY, of INTEGER REFERENCES refusal (id)
                DEFERRABLE INITIALLY DEFERRED)";
            world.database.execute(nowhere).await;
            let sql = "BEGIN INSERT INTO refusal (id, of) VALUES (1, 2); END";
            world.database.execute(&format!("CREATE TRIGGER refused AFTER INSERT ON {table} {sql}")).await;
        }
        Kind::Postgres => {
            world.database.execute("CREATE TABLE refusal (seen INTEGER)").await;
            let refuse = format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION '{WORDS}'; END $$"
            );
            world.database.execute(&refuse).await;
            let sql = format!(
                "CREATE CONSTRAINT TRIGGER refused AFTER INSERT ON {table}
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
            );
            world.database.execute(&sql).await;
        }
    }
}

async fn mend(world: &World, table: &str) {
    match world.database.kind() {
        Kind::Sqlite => world.database.execute("DROP TRIGGER refused").await,
        Kind::Postgres => {
            world.database.execute(&format!("DROP TRIGGER refused ON {table}")).await;
            world.database.execute("DROP FUNCTION refuse()").await;
        }
    }
    world.database.execute("DROP TABLE refusal").await;
}

/// Every row of every table.
async fn everything(world: &World, tables: &[&'static str]) -> BTreeMap<&'static str, Vec<String>> {
    crate::stage::tables(world, tables).await
}

/// What a refused run says: what was attempted, and by whom it was refused. Nobody is named.
fn told(ended: &Ended, what: &str) {
    expect(ended, 1, "failed");
    let error = ended.json()["sources"][0]["error"]["message"].as_str().expect("a message").to_owned();
    let (doing, _) = error.split_once(" failed").unwrap_or_else(|| panic!("{what}: it does not say at what: {error}"));
    assert!(!doing.is_empty(), "{what}: {error}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!([ANN, BOB, CEM, "@example"].iter().all(|name| !said.contains(name)), "{what}: {said}");
}

async fn each_statement_is_refused_in_turn(world: &World, scout: &World, scenes: (Scene, Scene)) {
    let (scene, scouted) = scenes;
    let written = written(scout, &scouted).await;
    let tables: Vec<&'static str> = all_tables(world).await.into_iter().map(|name| &*name.leak()).collect();
    let before = everything(world, &tables).await;
    for ((table, kind), rows) in &written {
        let mut places = vec![1, *rows];
        places.dedup();
        for nth in places {
            let what = format!("{kind} number {nth} of {rows} in {table}");
            refuse(world, (table, kind), nth).await;
            told(&scene.run(world).await, &what);
            mend(world, table).await;
            assert_eq!(everything(world, &tables).await, before, "{what}: something stayed");
        }
    }
    refuse_commit(world, "run").await;
    told(&scene.run(world).await, "the commit");
    mend(world, "run").await;
    assert_eq!(everything(world, &tables).await, before, "something stayed of what was not committed");
    println!("{} kinds of statements: {written:?}", written.len());
    expect(&scene.run(world).await, scene.code, scene.outcome);
    expect(&scene.run(world).await, scene.again.0, scene.again.1);
}

/// A world like the test's, to try things out in.
async fn scout(world: &World) -> World {
    let mut scout = World::new(world.database.kind()).await;
    // The counting triggers are no part of the schema.
    scout.leave_damaged();
    scout
}

fn guarded(world: &mut World) {
    world.configure("retry = { attempts = 1 }", "retry = { attempts = 1 }\nguard = { max_removals = 1 }");
}

on_both_stores! {
    async fn a_statement_refused_in_a_read_of_the_directory_leaves_nothing_behind(world: World) {
        // S9
        let scout = scout(&world).await;
        let scenes = (directory(&world).await, directory(&scout).await);
        each_statement_is_refused_in_turn(&world, &scout, scenes).await;
    }

    async fn a_statement_refused_in_a_read_of_the_backend_leaves_nothing_behind(world: World) {
        // S9
        let scout = scout(&world).await;
        let scenes = (backend(&world).await, backend(&scout).await);
        each_statement_is_refused_in_turn(&world, &scout, scenes).await;
    }

    async fn a_statement_refused_while_a_plan_is_held_or_approved_leaves_nothing_behind(world: World) {
        // S9
        let (mut first, mut second, mut world) = (scout(&world).await, scout(&world).await, world);
        guarded(&mut world);
        guarded(&mut first);
        guarded(&mut second);
        let scenes = (held(&world).await, held(&first).await);
        each_statement_is_refused_in_turn(&world, &first, scenes).await;
        let hash = google(&world, &[]).await.source("google_sync")["plan_hash"].as_str().expect("a hash").to_owned();
        let mut scene = Scene::of("google_sync");
        scene.arguments.extend(["--approve".to_owned(), hash, "--reason".to_owned(), "they left".to_owned()]);
        let scenes = (scene, approved(&second).await);
        each_statement_is_refused_in_turn(&world, &second, scenes).await;
    }

    async fn a_commit_that_fails_leaves_a_connection_that_works(world: World) {
        // S9
        let store = migrated(&world).await;
        let admin = Admin {
            store: store.clone(),
            features: Arc::new(configured(&world).features),
            actor: "operator".to_owned(),
            correlation_id: None,
            person: None,
        };
        let name = |name: &str| GroupName::parse(name).expect("a name");
        let before = everything(&world, &["event", "event_head", "user_group"]).await;
        refuse_commit(&world, "event").await;
        for _ in 0..8 {
            let refused = admin.create_group(name("staff"), None).await.expect_err("refused");
            assert!(refused.to_string().contains("committing"), "{refused}");
        }
        mend(&world, "event").await;
        assert_eq!(everything(&world, &["event", "event_head", "user_group"]).await, before);
        admin.create_group(name("staff"), None).await.expect("made");
        store.close().await.expect("closed");
    }
}
