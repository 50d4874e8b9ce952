//! Nothing personal and no secret in logs, metrics, Sentry or process arguments, at the most talkative level.

use entitled_simulator::{Fault, System, Target};
use serde_json::json;

use crate::answer::{EVERY_SECOND, login, never_cached, scheduled};
use crate::on_both_stores;
use crate::receiver::Receiver;
use crate::support::{Daemon, SIRET, World};

/// What must not be told. A domain may appear, so the local parts are what is looked for.
const ADDRESS: &str = "Zwetschgenbaum.Quux@commune-a.fr";
const GROUP: &str = "grp_acme_geheimbund@example.com";
const PERSONAL: [&str; 6] = ["zwetschgenbaum", "quux", "geheimbund", "sub-7f3a91", "claimed-secret", SIRET];

fn faults() -> [Fault; 8] {
    [
        Fault::status(500),
        Fault::Html,
        Fault::wrong_type(),
        Fault::Truncate,
        Fault::Reset,
        Fault::status(400),
        Fault::Status { code: 403, body: Some(format!("no access for {ADDRESS} in {GROUP}")), retry_after: None },
        Fault::status(401),
    ]
}

fn must_not_tell(what: &str, text: &str, world: &World) {
    let folded = text.to_lowercase();
    let secrets = world.environment.iter().filter(|(name, _)| name != "SENTRY_DSN").map(|(_, value)| value.as_str());
    let key = world.simulator.service_account_key()["private_key"]
        .as_str()
        .expect("a key")
        .lines()
        .nth(1)
        .expect("a line")
        .to_owned();
    for needle in PERSONAL.into_iter().chain(secrets).chain([key.as_str(), "ya29.", "eyj"]) {
        let told = folded.find(&needle.to_lowercase());
        let excerpt = told.map(|at| {
            folded.chars().skip(folded[..at].chars().count().saturating_sub(300)).take(700).collect::<String>()
        });
        assert!(told.is_none(), "{what} tells {needle}: ...{}...", excerpt.unwrap_or_default());
    }
}

on_both_stores! {
    async fn nothing_personal_is_told_even_at_the_most_talkative_level(world: World) {
        let mut world = world;
        world
            .environment
            .iter_mut()
            .filter(|(name, _)| name == "ENTITLED_LOGIN_KEY")
            .for_each(|(_, key)| *key = "login-key".into());
        let receiver = Receiver::start(&mut world).await;
        never_cached(&mut world);
        scheduled(&mut world, "deploycenter", EVERY_SECOND);
        scheduled(&mut world, "google_sync", EVERY_SECOND);
        world.configure(r#"claims = ["siret"]"#, "claims = [\"siret\"]\noptional_claims = [\"department\"]");
        world.org().set_domains(ADDRESS, SIRET, ["commune-a.fr"]).add_member(GROUP, ADDRESS);
        let daemon = Daemon::start(world.command(&["serve", "--log-format", "json", "-vv"])).await;
        let claims = json!({"siret": SIRET, "department": "claimed-secret", "other": "claimed-secret"});
        let body = json!({"sub": "sub-7f3a91", "email": ADDRESS, "claims": claims});
        login(&daemon, &body).await;
        for fault in faults() {
            for system in [System::Deploycenter, System::Google] {
                world.org().fault(Target::system(system), fault.clone());
            }
            login(&daemon, &body).await;
            world.org().clear_faults();
            login(&daemon, &body).await;
        }
        daemon.wait_for_run("google_sync", 2).await;
        daemon.login(&json!({"sub": "sub-7f3a91x"})).await;
        daemon.login(&json!({"email": "zwetschgenbaum quux", "claims": {"claimed-secret": "\u{0}"}})).await;
        daemon.get(&format!("/users/{ADDRESS}?email={ADDRESS}")).await;
        let id = daemon.child.id().expect("it runs");
        let arguments = std::fs::read_to_string(format!("/proc/{id}/cmdline")).expect("arguments");
        must_not_tell("the command line", &arguments, &world);
        let metrics = daemon.get("/metrics").await.text().await.expect("text");
        must_not_tell("the metrics", &metrics, &world);
        let health = daemon.get("/api/v1/health").await.text().await.expect("text");
        must_not_tell("the health", &health, &world);
        daemon.signal("TERM");
        daemon.wait_for_log(|line| line["message"] == "stopped").await;
        let logs: String = daemon.logs().iter().map(|line| format!("{line}\n")).collect();
        assert!(logs.contains("run ended") && logs.contains(r#""level":"TRACE""#), "it did talk");
        must_not_tell("the log", &logs, &world);
        receiver.wait_for(3).await;
        must_not_tell("Sentry", &receiver.text(), &world);
    }

    async fn a_one_shot_that_fails_tells_nothing_personal_either(world: World) {
        let mut world = world;
        let receiver = Receiver::start(&mut world).await;
        world.org().set_domains(ADDRESS, SIRET, ["commune-a.fr"]).add_member(GROUP, ADDRESS);
        assert_eq!(world.sync(&[]).await.code, 0);
        for fault in [Fault::status(500), Fault::wrong_type(), Fault::RepeatToken] {
            world.org().clear_faults().fault(Target::system(System::Google), fault);
            let ended = world
                .run(&["-vv", "--log-format", "json", "sync", "--source", "google_sync", "--output", "json"])
                .await;
            assert!([0, 3].contains(&ended.code), "{ended:?}");
            must_not_tell("the log", &ended.stderr, &world);
        }
        receiver.wait_for(2).await;
        must_not_tell("Sentry", &receiver.text(), &world);
    }
}
