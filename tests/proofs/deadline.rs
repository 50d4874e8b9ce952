//! A login's time, moved by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entitled::clock::Clock;
use entitled::login::{Freshness, Login, Logins};
use entitled_model::EmailAddress;
use entitled_simulator::{Fault, System, Target};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::on_both_stores;
use crate::parts;
use crate::support::SIRET;

const ANN: &str = "ann@commune-a.fr";
const DEADLINE: Duration = Duration::from_mins(10);
/// How long a machine with much other work may take for what it does at once.
const AT_ONCE: Duration = Duration::from_secs(30);

on_both_stores! {
    async fn a_login_whose_sources_do_not_answer_keeps_time_for_reading_what_is_stored(world: World) {
        // D9
        let mut world = world;
        world.configure(r#"timeout = "2s""#, r#"timeout = "60s""#);
        let (clock, hands) = Clock::manual(Clock::system().now());
        let store = parts::open(world.database.url(), &clock).await;
        let runner = parts::runner(&world, &store).await;
        for system in [System::Deploycenter, System::Google] {
            world.org().fault(Target::system(system), Fault::hold("slow"));
        }
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let logins = Arc::new(Logins::new(runner, DEADLINE, false, tasks.clone(), stop.clone()));
        let email = Some(EmailAddress::parse(ANN).expect("an address"));
        let claims = BTreeMap::from([("siret".to_owned(), json!(SIRET))]);
        let login = Login { email, claims, actor: "key:login-hook".to_owned(), ..Login::default() };
        let waiting = tokio::spawn(async move { logins.answer(login).await });
        for system in [System::Deploycenter, System::Google] {
            world.org().wait_for_requests(system, 1, AT_ONCE).await.expect("both are asked");
        }
        hands.advance(DEADLINE * 3 / 4);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "the sources have time yet");
        hands.advance(DEADLINE * 3 / 20);
        let answer = tokio::time::timeout(AT_ONCE, waiting).await.expect("answered before the deadline");
        let answer = answer.expect("no panic").expect("an answer");
        assert!(answer.sources.iter().all(|part| part.freshness == Freshness::Unavailable));
        assert!(clock.monotonic() < DEADLINE);
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        store.close().await.expect("closed");
    }
}
