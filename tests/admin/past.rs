//! What was: a random walk over memberships, and every past moment compared with what was captured then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use entitled::clock::{Clock, ManualClock};
use entitled::history::{History, HistoryError, Members, Window};
use entitled::store::{Access, Store};
use entitled_model::event::{Cause, Event, GroupCreated};
use entitled_model::history::{About, Change};
use entitled_model::{GroupId, Instant, Moment, Position, RunId, SourceName, UserId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::on_both_stores;
use crate::support::World;

const USERS: usize = 6;
const GROUPS: usize = 3;
const SOURCES: [&str; 3] = ["google_sync", "deploycenter", "admin"];
const STEPS: usize = 72;
/// Moments that are compared each with each.
const CAPTURES: usize = 12;

/// Who is in what by which source, as plain numbers.
type Key = (GroupId, UserId, SourceName);
type State = BTreeSet<Key>;

/// What the walk remembers beside the store.
#[derive(Default)]
struct Memory {
    now: State,
    /// The state at each position, and when its event was recorded.
    at: BTreeMap<Position, (Instant, State)>,
    /// Where each membership changed.
    changed: BTreeMap<Key, Vec<(Position, Change)>>,
    /// What the clock showed, where the log ended and what was in it then.
    captures: Vec<(Instant, Position, State)>,
}

impl Memory {
    /// The newest position that was recorded at an instant or before, by looking at all.
    fn position_at(&self, at: Instant) -> Position {
        let recorded = self.at.iter().filter(|(_, (recorded_at, _))| *recorded_at <= at);
        recorded.map(|(position, _)| *position).max().unwrap_or_default()
    }

    fn state_at(&self, position: Position) -> State {
        self.at.range(..=position).next_back().map(|(_, (_, state))| state.clone()).unwrap_or_default()
    }

    /// What is different at two positions, each with what changed it last.
    fn difference(&self, from: Position, to: Position) -> BTreeMap<Key, (Position, Change)> {
        let (before, after) = (self.state_at(from), self.state_at(to));
        let last = |key: &Key| *self.changed[key].iter().rfind(|(position, _)| *position <= to).expect("a change");
        before.symmetric_difference(&after).map(|key| (key.clone(), last(key))).collect()
    }
}

/// A walker with a store whose clock is moved by hand.
struct Walk {
    store: Store,
    hands: ManualClock,
    random: StdRng,
    users: Vec<UserId>,
    groups: Vec<GroupId>,
    memory: Memory,
}

impl Walk {
    async fn begin(world: &World, seed: u64) -> Self {
        let start = Clock::system().now();
        let (clock, hands) = Clock::manual(start);
        let open = Store::open(world.database.url(), 5, Duration::from_secs(10), Access::ReadWrite, clock.clone());
        let store = open.await.expect("a store");
        store.migrate_up().await.expect("migrated");
        let sources = SOURCES.map(|name| SourceName::stored(name.to_owned()));
        store.register_sources(sources).await.expect("registered");
        let users: Vec<UserId> = (0..USERS).map(|_| UserId(clock.new_id())).collect();
        let groups: Vec<GroupId> = (0..GROUPS).map(|_| GroupId(clock.new_id())).collect();
        let random = StdRng::seed_from_u64(seed);
        let mut walk = Self { store, hands, random, users, groups, memory: Memory::default() };
        let mut events = vec![Event::users_created(walk.users.clone())];
        for (number, group) in walk.groups.iter().enumerate() {
            events.push(Event::GroupCreated(GroupCreated {
                group: *group,
                name: format!("group-{number}"),
                managed_by: None,
                external_id: None,
                facet: None,
                resource_id: None,
                description: None,
            }));
        }
        walk.record(events).await;
        walk
    }

    fn pick(&mut self, of: usize) -> usize {
        self.random.random_range(0..of)
    }

    async fn record(&mut self, events: Vec<Event>) {
        let mut unit = self.store.begin().await.expect("a unit");
        let (first, at) = (unit.head().0 + 1, unit.at());
        let cause = Cause {
            actor: "source:walk".to_owned(),
            run_id: Some(RunId(self.store.clock().new_id())),
            ..Cause::default()
        };
        let remembered: Vec<Event> = events.clone();
        unit.record(&cause, at, events).await.expect("recorded");
        unit.commit().await.expect("committed");
        for (event, position) in remembered.into_iter().zip(first..) {
            if let Event::MembershipChanged(changed) = event {
                let key = |user: UserId| (changed.group, user, changed.source.clone());
                for user in changed.removed.iter().copied() {
                    self.remember(key(user), Position(position), Change::Removed);
                }
                for user in changed.added.iter().copied() {
                    self.remember(key(user), Position(position), Change::Added);
                }
            }
            self.memory.at.insert(Position(position), (at, self.memory.now.clone()));
        }
    }

    fn remember(&mut self, key: Key, position: Position, change: Change) {
        let was = match change {
            Change::Added => self.memory.now.insert(key.clone()),
            Change::Removed | Change::Other => self.memory.now.remove(&key),
        };
        assert!(was, "the walk changes what there is");
        self.memory.changed.entry(key).or_default().push((position, change));
    }

    /// One unit of one to three events, each about some users of a group by a source; then a look at the clock.
    async fn step(&mut self, clock: ClockMoves) {
        let mut events = Vec::new();
        let mut state = self.memory.now.clone();
        for _ in 0..=self.pick(3) {
            let (source, group) = (self.pick(SOURCES.len()), self.pick(GROUPS));
            let (source, group) = (SourceName::stored(SOURCES[source].to_owned()), self.groups[group]);
            let chosen: Vec<UserId> =
                self.users.clone().into_iter().filter(|_| self.random.random_range(0..3) == 0).collect();
            let key = |user: &UserId| (group, *user, source.clone());
            let (removed, added): (Vec<UserId>, Vec<UserId>) =
                chosen.into_iter().partition(|user| state.contains(&key(user)));
            for user in &removed {
                state.remove(&key(user));
            }
            state.extend(added.iter().map(key));
            if !(added.is_empty() && removed.is_empty()) {
                events.push(Event::memberships_changed(group, &source, added, removed));
            }
        }
        self.record(events).await;
        let (head, _) = self.store.head(self.store.reader()).await.expect("a head");
        self.memory.captures.push((self.store.clock().now(), head, self.memory.now.clone()));
        let step = TimeDelta::microseconds(self.random.random_range(1..5_000_000));
        let back = matches!(clock, ClockMoves::BothWays) && self.pick(4) == 0;
        let step = if back { -step * 3 } else { step };
        self.hands.set_now(self.store.clock().now() + step);
    }

    fn history(&self) -> History {
        History { store: self.store.clone(), rules: Arc::default() }
    }

    /// Some of the captures, the first and the last among them.
    fn some_captures(&self) -> Vec<(Instant, Position, State)> {
        let captures = &self.memory.captures;
        captures.iter().step_by(STEPS / CAPTURES).chain(captures.last()).cloned().collect()
    }
}

#[derive(Clone, Copy)]
enum ClockMoves {
    On,
    BothWays,
}

/// All memberships at a moment, read in pages of `rows_max`.
async fn members(history: &History, as_of: Moment, of: (Option<UserId>, Option<GroupId>), rows_max: usize) -> State {
    let mut asked = Members { as_of: Some(as_of), user: of.0, group: of.1, after: None, rows_max };
    let mut state = State::new();
    loop {
        let past = history.members(&asked).await.expect("an answer");
        assert!(past.memberships.rows.len() <= rows_max);
        for row in past.memberships.rows {
            assert!(state.insert((row.group, row.user, row.source)), "a page repeats another");
        }
        let Some(next) = past.memberships.next else { return state };
        // What the list says of the cursor is what is read back from it.
        asked.after = Some(next.to_string().parse().expect("a place"));
    }
}

/// The whole difference of two moments, read in pages of `rows_max`.
async fn difference(
    history: &History,
    (since, until): (Moment, Moment),
    rows_max: usize,
) -> BTreeMap<Key, (Position, Change)> {
    let mut window = Window { since: Some(since), until: Some(until), after: None, rows_max };
    let mut found = BTreeMap::new();
    loop {
        let (_, page) = history.difference(&window).await.expect("an answer");
        assert!(page.rows.len() <= rows_max);
        for told in page.rows {
            assert_eq!((told.actor.as_str(), told.run_id.is_some()), ("source:walk", true), "the cause is named");
            let key = (told.group.expect("a group"), told.user.expect("a user"), told.source.expect("a source"));
            assert!(found.insert(key, (told.position, told.change)).is_none(), "a page repeats another");
        }
        let Some(next) = page.next else { return found };
        window.after = Some(next.to_string().parse().expect("a place"));
    }
}

/// The states that a history leads through, from nothing on.
async fn replayed(history: &History, about: About, until: Position, rows_max: usize) -> State {
    let until = Some(Moment::Position(until));
    let mut window = Window { since: None, until, after: None, rows_max };
    let (mut state, mut last) = (State::new(), Position(0));
    loop {
        let (_, page) = history.of(about, &window).await.expect("an answer");
        assert!(page.rows.len() <= rows_max);
        for told in page.rows {
            assert!(told.position >= last, "in the order of the log");
            last = told.position;
            let (Some(group), Some(user), Some(source)) = (told.group, told.user, told.source) else { continue };
            match told.change {
                Change::Added => assert!(state.insert((group, user, source))),
                Change::Removed => assert!(state.remove(&(group, user, source))),
                Change::Other => {}
            }
        }
        let Some(next) = page.next else { return state };
        window.after = Some(next.to_string().parse().expect("a place"));
    }
}

async fn walk(world: &World, seed: u64, clock: ClockMoves) -> Walk {
    let mut walk = Walk::begin(world, seed).await;
    for _ in 0..STEPS {
        walk.step(clock).await;
    }
    walk
}

on_both_stores! {
    async fn memberships_at_any_past_instant_are_what_was_current_then(world: World) {
        // E4
        let walk = walk(&world, 4, ClockMoves::On).await;
        let history = walk.history();
        for (number, (at, position, captured)) in walk.memory.captures.iter().enumerate() {
            let all = members(&history, Moment::At(*at), (None, None), 1 + number % 7).await;
            assert_eq!(all, *captured, "step {number}");
            assert_eq!(members(&history, Moment::Position(*position), (None, None), 1_000).await, *captured);
            let user = walk.users[number % USERS];
            let of_user: State = captured.iter().filter(|key| key.1 == user).cloned().collect();
            assert_eq!(members(&history, Moment::At(*at), (Some(user), None), 2).await, of_user, "step {number}");
            let group = walk.groups[number % GROUPS];
            let of_group: State = captured.iter().filter(|key| key.0 == group).cloned().collect();
            assert_eq!(members(&history, Moment::At(*at), (None, Some(group)), 2).await, of_group, "step {number}");
            let of_both: State = of_user.intersection(&of_group).cloned().collect();
            assert_eq!(members(&history, Moment::At(*at), (Some(user), Some(group)), 2).await, of_both);
        }
        let long_ago = Moment::At(walk.memory.captures[0].0 - TimeDelta::days(400));
        assert!(members(&history, long_ago, (None, None), 10).await.is_empty(), "before the first event there was nobody");
        let (_, _, last) = walk.memory.captures.last().expect("a capture");
        let to_come = Moment::At(walk.store.clock().now() + TimeDelta::days(400));
        assert_eq!(members(&history, to_come, (None, None), 10).await, *last, "what is to come is not known yet");
        walk.store.close().await.expect("closed");
    }

    async fn the_difference_of_any_two_instants_is_listed_with_what_brought_it_about(world: World) {
        // E4
        let walk = walk(&world, 5, ClockMoves::On).await;
        let history = walk.history();
        let captures = walk.some_captures();
        let mut compared = 0;
        for (number, (from, from_position, before)) in captures.iter().enumerate() {
            for (to, to_position, after) in &captures[number..] {
                let found = difference(&history, (Moment::At(*from), Moment::At(*to)), 1 + number % 9).await;
                let keys: State = found.keys().cloned().collect();
                assert_eq!(keys, before.symmetric_difference(after).cloned().collect::<State>());
                assert_eq!(found, walk.memory.difference(*from_position, *to_position));
                compared += found.len();
            }
        }
        assert!(compared > 500, "the walk changes much: {compared}");
        walk.store.close().await.expect("closed");
    }

    async fn histories_lead_from_nothing_to_what_is_current(world: World) {
        // E4
        let walk = walk(&world, 6, ClockMoves::BothWays).await;
        let history = walk.history();
        for (number, (_, position, captured)) in walk.some_captures().into_iter().enumerate() {
            let (user, group) = (walk.users[number % USERS], walk.groups[number % GROUPS]);
            let of_user: State = captured.iter().filter(|key| key.1 == user).cloned().collect();
            assert_eq!(replayed(&history, About::User(user), position, 1 + number % 5).await, of_user);
            let of_group: State = captured.iter().filter(|key| key.0 == group).cloned().collect();
            assert_eq!(replayed(&history, About::Group(group), position, 1 + number % 5).await, of_group);
        }
        walk.store.close().await.expect("closed");
    }

    async fn a_clock_that_goes_back_blurs_no_position_and_its_later_time_counts(world: World) {
        // E4, S21
        let walk = walk(&world, 7, ClockMoves::BothWays).await;
        let history = walk.history();
        let instants: Vec<Instant> = walk.memory.at.values().map(|(at, _)| *at).collect();
        assert!(!instants.is_sorted(), "the clock went back");
        for (number, at) in instants.iter().step_by(3).enumerate() {
            for at in [*at - TimeDelta::microseconds(1), *at, *at + TimeDelta::microseconds(1)] {
                let expected = walk.memory.state_at(walk.memory.position_at(at));
                assert_eq!(members(&history, Moment::At(at), (None, None), 50).await, expected, "instant {number}");
            }
        }
        let captures = walk.some_captures();
        for (number, (at, position, captured)) in captures.iter().enumerate() {
            assert_eq!(members(&history, Moment::Position(*position), (None, None), 9).await, *captured);
            for (until, to, _) in &captures[number..] {
                let between = (Moment::Position(*position), Moment::Position(*to));
                assert_eq!(difference(&history, between, 50).await, walk.memory.difference(*position, *to));
                if at > until {
                    let window = Window {
                        since: Some(Moment::At(*at)),
                        until: Some(Moment::At(*until)),
                        after: None,
                        rows_max: 5,
                    };
                    assert!(matches!(history.difference(&window).await, Err(HistoryError::Order)));
                }
            }
        }
        let head = Moment::Position(Position(captures.last().expect("a capture").1.0 + 1));
        let asked = Members { as_of: Some(head), user: None, group: None, after: None, rows_max: 1 };
        assert!(matches!(history.members(&asked).await, Err(HistoryError::Ahead { .. })));
        walk.store.close().await.expect("closed");
    }
}
