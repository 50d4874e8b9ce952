//! Runs that are answered, and write later.

use entitled::source::{Asks, Person, Urgency};
use entitled_model::SourceName;
use entitled_simulator::{Fault, Target};

use crate::ground::{Ground, Told, system};
use crate::script::{GOOGLE, Name};
use crate::support::PATIENCE;

impl Ground {
    /// Starts a run, lets it be answered, and keeps the last answers from it.
    pub(super) async fn hold(&mut self, source: Name, user: Option<Name>) -> String {
        let org = self.simulator.organisation().clone();
        org.clear_requests();
        self.holds += 1;
        let name = format!("held {}", self.holds);
        let (system, state) = (system(source), org.state());
        let (piece, count) = match (source, user) {
            (GOOGLE, None) => ("/members", state.groups),
            (GOOGLE, Some(_)) => ("/users/", 1),
            (_, Some(_)) => ("", 1),
            (_, None) => ("", self.askable().await),
        };
        self.have_answered(source).await;
        org.clear_requests();
        let target = Target::system(system).path_contains(piece).times(count as u64);
        org.fault(target, Fault::hold(&name));
        let running = self.start(source, user).await;
        let arrived = async {
            loop {
                let requests = org.requests(system);
                let around = requests.iter().filter(|request| request.query("userKey").is_some()).count();
                let wanted = match (source, user) {
                    (GOOGLE, Some(person)) => 1 + self.direct(person),
                    _ => 0,
                };
                let held = requests.iter().filter(|request| request.path.contains(piece)).count();
                if (held >= count && around >= wanted) || running.is_finished() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE / 6, arrived).await.is_err() {
            running.abort();
            return format!("fewer questions than expected: {:?}", org.requests(system));
        }
        if running.is_finished() {
            org.clear_faults();
            return self.told(running).await.came;
        }
        self.held = Some((name, running));
        "held".to_owned()
    }

    fn direct(&self, person: Name) -> usize {
        self.joined.iter().filter(|(of, _)| *of == person).count()
    }

    async fn askable(&self) -> usize {
        let users = self.store.users(self.store.reader(), true).await.expect("users");
        users.iter().filter(|user| user.profile.claims.contains_key("siret")).count()
    }

    /// Until its credential has worked once, a source is asked one question at a time.
    async fn have_answered(&self, source: Name) {
        let users = self.store.users(self.store.reader(), true).await.expect("users");
        let asked = users.into_iter().find(|user| user.profile.claims.contains_key("siret"));
        let source = self.registry.get(&SourceName::stored(source.to_owned())).expect("configured");
        if let (Asks::Backend(backend), Some(user)) = (&source.asks, asked) {
            backend.answer(&Person::from(user), Urgency::Awaited).await.expect("an answer");
        }
    }

    pub(super) async fn release(&mut self) -> Told {
        let Some((name, running)) = self.held.take() else { return Told { came: "nothing".to_owned(), kept: None } };
        self.simulator.organisation().release(&name);
        self.told(running).await
    }
}
