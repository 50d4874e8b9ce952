//! The read-only role of PostgreSQL: what it may, what it may not, and what making it leaves behind.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{expect, google, migrated, texts};
use crate::support::{Database, Ended, Kind, World};

const PASSWORD: &str = "correct horse battery st\u{e4}ple";
const GROUP: &str = "grp_acme_a@example.com";

/// A world on PostgreSQL with a role of its own; roles belong to the whole server.
struct Stage {
    world: World,
    role: String,
}

impl Stage {
    async fn new() -> Self {
        let mut world = World::new(Kind::Postgres).await;
        world.org().add_member(GROUP, "ann@example.org");
        expect(&google(&world, &[]).await, 0, "applied");
        let name = texts(&world, "SELECT current_database()::text").await.remove(0);
        world.environment.push(("ENTITLED_RO_PASSWORD".into(), PASSWORD.into()));
        Self { world, role: format!("ro_{}", name.replace('-', "_")) }
    }

    async fn run(&self, what: &str) -> Ended {
        self.world.run(&["-vv", "migrate", "readonly-role", what, "--role", &self.role]).await
    }

    async fn up(&self) {
        let ended = self.run("up").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (0, "as it should be\n"), "{ended:?}");
    }

    /// A session of the role; the tests' server lets it in without its password.
    async fn session(&self) -> DatabaseConnection {
        let mut url = reqwest::Url::parse(self.world.database.url()).expect("an address");
        url.set_username(&self.role).expect("a name");
        Database::raw(url.as_str()).await
    }

    async fn end(self) {
        assert_eq!(self.run("down").await.code, 0);
    }
}

async fn refused(session: &DatabaseConnection, sql: &str) {
    let tried = session.execute_unprepared(sql).await;
    let error = tried.err().unwrap_or_else(|| panic!("it may: {sql}")).to_string();
    assert!(error.contains("permission denied") || error.contains("read-only transaction"), "{sql}: {error}");
}

#[tokio::test]
async fn it_reads_what_is_listed_and_can_do_nothing_else_however_it_asks() {
    // O1 O2
    let stage = Stage::new().await;
    stage.up().await;
    let owner = stage.world.database.connect().await;
    for sql in [
        "CREATE TABLE later (secret text)",
        "CREATE SEQUENCE numbers",
        "CREATE VIEW people AS SELECT * FROM user_profile",
    ] {
        owner.execute_unprepared(sql).await.expect(sql);
    }
    let session = stage.session().await;
    for table in entitled::store::READABLE {
        session
            .execute_unprepared(&format!("SELECT * FROM {table}"))
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    // Both as it comes, and having switched its own settings off.
    for settings in
        ["", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; SET default_transaction_read_only = off"]
    {
        if !settings.is_empty() {
            session.execute_unprepared(settings).await.expect("everybody may");
        }
        for sql in [
            "INSERT INTO source (name) VALUES ('x')",
            "UPDATE user_profile SET email = NULL",
            "DELETE FROM membership",
            "TRUNCATE event",
            "CREATE TABLE mine (x int)",
            "CREATE TABLE mine AS SELECT * FROM event",
            "CREATE TEMPORARY TABLE mine (x int)",
            "CREATE SCHEMA mine",
            "SELECT nextval('numbers')",
            "SELECT * FROM event FOR UPDATE",
            "SELECT * FROM event FOR KEY SHARE",
            "SELECT lo_create(0)",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT * FROM later",
            "SELECT * FROM people",
        ] {
            refused(&session, sql).await;
        }
        for sql in [
            "COPY event TO PROGRAM 'true'",
            "DROP TABLE event",
            "ALTER TABLE event ADD COLUMN x int",
            "ALTER TABLE event DISABLE TRIGGER ALL",
        ] {
            let error = session.execute_unprepared(sql).await.expect_err(sql).to_string();
            assert!(error.contains("must be ") || error.contains("read-only"), "{sql}: {error}");
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn every_table_is_listed_or_hidden() {
    // O2
    let world = World::new(Kind::Postgres).await;
    migrated(&world).await.close().await.expect("closed");
    let tables = texts(&world, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").await;
    let mut known: Vec<&str> = [entitled::store::READABLE, entitled::store::HIDDEN].concat();
    known.sort_unstable();
    assert_eq!(tables, known, "a new table is closed until somebody decides: src/store/readonly.rs");
}

#[tokio::test]
async fn a_missing_password_changes_nothing_and_names_the_variable() {
    // O3
    let mut stage = Stage::new().await;
    for value in [None, Some("")] {
        stage.world.environment.retain(|(name, _)| name != "ENTITLED_RO_PASSWORD");
        stage.world.environment.extend(value.map(|value| ("ENTITLED_RO_PASSWORD".to_owned(), value.to_owned())));
        let ended = stage.run("up").await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("error: the environment variable ENTITLED_RO_PASSWORD is not set"), "{ended:?}");
        let status = stage.run("status").await;
        assert_eq!((status.code, status.stdout.as_str()), (1, "there is no such role\n"));
    }
    for role in ["Auditor", "a b", "x\"; DROP TABLE event; --", "pg_read_all_data", "public", ""] {
        let ended = stage.world.run(&["migrate", "readonly-role", "up", "--role", role]).await;
        assert_eq!(ended.code, 2, "{role}: {ended:?}");
    }
    let own = stage.world.run(&["migrate", "readonly-role", "up", "--role", "entitled"]).await;
    assert_eq!(own.code, 2, "the owner of the tables is no such role: {own:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_leaves_the_process_as_a_verifier_alone() {
    // O3
    let mut stage = Stage::new().await;
    let (address, sent) = listening(stage.world.database.url()).await;
    let mut url = reqwest::Url::parse(stage.world.database.url()).expect("an address");
    let direct = url.to_string();
    url.set_host(Some("127.0.0.1")).expect("a host");
    url.set_port(Some(address)).expect("a port");
    stage.world.configure(&direct, url.as_str());
    let ended = stage.run("up").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.stderr.contains(PASSWORD) && !ended.stdout.contains(PASSWORD), "{ended:?}");
    let sent = sent.lock().expect("whole").clone();
    let holds = |text: &str| sent.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("SCRAM-SHA-256$4096:"), "the statement passed by here");
    assert!(!holds(PASSWORD), "and the password did not");
    let stored = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", stage.role);
    let stored = texts(&stage.world, &stored).await.remove(0);
    assert!(opens(&stored, PASSWORD) && !opens(&stored, "another"), "{stored}");
    stage.end().await;
}

#[tokio::test]
async fn up_and_down_may_run_twice_and_at_once_and_leave_nothing_behind() {
    // O4
    let mut stage = Stage::new().await;
    let defaults = "SELECT coalesce((SELECT datacl::text FROM pg_database WHERE datname = current_database()), '')";
    let (one, other) = tokio::join!(stage.run("up"), stage.run("up"));
    assert_eq!((one.code, other.code), (0, 0), "{one:?} {other:?}");
    let password = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", stage.role);
    let first = texts(&stage.world, &password).await.remove(0);
    stage.world.environment.push(("ENTITLED_RO_PASSWORD".into(), "a new one".into()));
    stage.up().await;
    let second = texts(&stage.world, &password).await.remove(0);
    assert!(opens(&second, "a new one") && !opens(&second, PASSWORD) && opens(&first, PASSWORD));
    let (one, other) = tokio::join!(stage.run("down"), stage.run("down"));
    assert_eq!((one.code, other.code), (0, 0), "{one:?} {other:?}");
    assert_eq!(stage.run("down").await.code, 0);
    let left = format!(
        "SELECT count(*)::text FROM (SELECT relacl::text AS acl FROM pg_class UNION ALL SELECT nspacl::text FROM pg_namespace
            UNION ALL SELECT datacl::text FROM pg_database) AS acls WHERE acl LIKE '%{}%'",
        stage.role
    );
    assert_eq!(texts(&stage.world, &left).await, ["0"]);
    assert!(
        texts(&stage.world, defaults).await.remove(0).contains("=Tc/"),
        "everybody may make temporary tables again"
    );
    stage.up().await;
    assert_eq!(stage.run("status").await.code, 0);
    stage.end().await;
}

#[tokio::test]
async fn its_sessions_are_bounded_and_status_names_each_drift() {
    // O5
    let stage = Stage::new().await;
    stage.up().await;
    let session = stage.session().await;
    for (setting, value) in
        [("default_transaction_read_only", "on"), ("statement_timeout", "30s"), ("lock_timeout", "2s")]
    {
        let sql = format!("SELECT current_setting('{setting}')");
        let row = session.query_one_raw(sea_orm::Statement::from_string(sea_orm::DatabaseBackend::Postgres, sql)).await;
        assert_eq!(row.expect("an answer").expect("a row").try_get_by_index::<String>(0).expect("text"), value);
    }
    let owner = stage.world.database.connect().await;
    let role = &stage.role;
    for (sql, says) in [
        (format!("ALTER ROLE {role} CONNECTION LIMIT 50"), "drift: it may hold 50 connections"),
        (format!("ALTER ROLE {role} RESET statement_timeout"), "drift: statement_timeout is not 30s"),
        (format!("GRANT INSERT ON event TO {role}"), "drift: it may write to event"),
        (format!("GRANT UPDATE (email) ON user_profile TO {role}"), "drift: it may write to user_profile"),
        (format!("REVOKE SELECT ON run FROM {role}"), "drift: it can't read run"),
        (format!("CREATE TABLE later (x int); GRANT SELECT ON later TO {role}"), "drift: it may read later"),
        (format!("ALTER ROLE {role} CREATEDB"), "drift: it has more than a role needs that reads"),
        (format!("GRANT pg_read_all_data TO {role}"), "drift: it is a member of other roles"),
    ] {
        owner.execute_unprepared(&sql).await.expect("changed");
        let status = stage.run("status").await;
        assert_eq!(status.code, 1, "{sql}: {status:?}");
        assert!(status.stdout.contains(says), "{sql}: {status:?}");
    }
    owner.execute_unprepared(&format!("REVOKE pg_read_all_data FROM {role}")).await.expect("revoked");
    stage.up().await;
    stage.end().await;
}

#[tokio::test]
async fn on_sqlite_it_does_not_apply() {
    // O5
    let world = World::new(Kind::Sqlite).await;
    migrated(&world).await.close().await.expect("closed");
    for what in ["up", "status", "down"] {
        let ended = world.run(&["migrate", "readonly-role", what]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stdout.starts_with("does not apply: SQLite has no roles"), "{ended:?}");
    }
}

/// Lets connections through to the server of `url`, and keeps what clients send.
async fn listening(url: &str) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let url = reqwest::Url::parse(url).expect("an address");
    let server = format!("{}:{}", url.host_str().expect("a host"), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.expect("the server");
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut buffer = [0; 16_384];
                while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                    heard.lock().expect("whole").extend_from_slice(&buffer[..read]);
                    if to_server.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        }
    });
    (port, sent)
}

/// Whether a password fits a SCRAM verifier (RFC 5802, 3): `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
fn opens(verifier: &str, password: &str) -> bool {
    let parts: Vec<&str> = verifier.split(['$', ':']).collect();
    let ["SCRAM-SHA-256", iterations, salt, stored_key, _] = parts[..] else { return false };
    let (salt, iterations) = (STANDARD.decode(salt).expect("base64"), iterations.parse::<u32>().expect("a number"));
    let mut block = hmac(password.as_bytes(), &[&salt[..], &1u32.to_be_bytes()].concat());
    let mut salted = block;
    for _ in 1..iterations {
        block = hmac(password.as_bytes(), &block);
        salted.iter_mut().zip(block).for_each(|(one, other)| *one ^= other);
    }
    let client_key = hmac(&salted, b"Client Key");
    STANDARD.decode(stored_key).expect("base64") == Sha256::digest(client_key).to_vec()
}

/// RFC 2104.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}
