//! Random walks over all that can happen, compared with the reference model after each step.
//!
//! A walk that fails is made as short as it can be, and printed. `ENTITLED_TEST_SCRIPT=<file>` goes it again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Handle;

use crate::ground::{Ground, configure};
use crate::on_both_stores;
use crate::reference::{Came, Reference};
use crate::rounds;
use crate::script::{DEPLOYCENTER, GOOGLE, Step, read, scripts};
use crate::stage::migrated;
use crate::support::World;

/// How many walks each store is taken on in every run of the tests.
const WALKS: usize = 5;
const STEPS_MAX: usize = 120;
const SECOND: i64 = 1_000_000;
const SEED: [u8; 32] = *b"entitled walks the same each day";

/// Walks that failed once, and what they found.
const FOUND: [&str; 1] = [
    // A lease that was let go counted as held until the clock had caught up.
    "sync google_sync
     clock -1
     sync google_sync",
];

/// What the steps of all walks came to, by their first word.
type Tally = BTreeMap<(String, &'static str), usize>;

/// Goes a walk; otherwise says at which step what is wrong.
async fn go(world: &World, script: &[Step]) -> Result<Tally, String> {
    let (mut ground, mut reference) = (Ground::lay(world).await, Reference::default());
    let ended = steps(&mut ground, &mut reference, script).await;
    ground.leave(world).await;
    ended
}

async fn steps(ground: &mut Ground, reference: &mut Reference, script: &[Step]) -> Result<Tally, String> {
    let mut tally = Tally::new();
    for (number, step) in script.iter().enumerate() {
        let came = one(ground, reference, step).await;
        let came = came.map_err(|wrong| format!("after step {} ({step}): {wrong}", number + 1))?;
        let word = step.to_string().split(' ').next().unwrap_or_default().to_owned();
        *tally.entry((word, came)).or_default() += 1;
    }
    // All is well in the end: what the sources say comes to be, and is left alone from then on.
    let whole = |source| Step::Sync(source, None);
    for step in [Step::Release, Step::Mend, whole(GOOGLE), whole(GOOGLE), whole(DEPLOYCENTER)] {
        one(ground, reference, &step).await.map_err(|wrong| format!("at the end ({step}): {wrong}"))?;
    }
    let position = ground.position().await;
    for source in [GOOGLE, DEPLOYCENTER] {
        let came = ground.perform(&whole(source)).await.came;
        if !["unchanged", "blocked", "held"].contains(&&*came) || ground.position().await != position {
            return Err(format!("{source} said the same once more, and it came to {came} and to events"));
        }
    }
    ground.unsound().await.map_or(Ok(tally), |faults| Err(format!("the log is not sound: {faults}")))
}

async fn one(ground: &mut Ground, reference: &mut Reference, step: &Step) -> Result<Came, String> {
    if !reference.admits(step) {
        return Ok("left out");
    }
    reference.now += SECOND;
    ground.set_clock(reference.now);
    let (told, expected) = match step {
        // The clock may have to be moved first.
        Step::Hold(..) => {
            let expected = reference.perform(step, None);
            ground.set_clock(reference.now);
            (ground.perform(step).await, expected)
        }
        _ => {
            let told = ground.perform(step).await;
            let expected = reference.perform(step, told.kept);
            (told, expected)
        }
    };
    let (stored, modelled) = (ground.lines().await, reference.stored.lines());
    if told.came == expected && stored == modelled {
        return Ok(expected);
    }
    let mut wrong = format!("it came to {:?}, expected {expected:?}", told.came);
    for line in modelled.difference(&stored) {
        let _ = write!(wrong, "\n    missing in the store: {line}");
    }
    for line in stored.difference(&modelled) {
        let _ = write!(wrong, "\n    not to be stored:     {line}");
    }
    Err(wrong)
}

fn lines(script: &[Step]) -> String {
    script.iter().map(|step| format!("{step}\n")).collect()
}

/// Goes so many walks, and the shortest one that fails.
fn wander(world: &World, walks: usize) {
    let config = Config {
        cases: u32::try_from(walks).expect("a number of walks"),
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let tally = RefCell::new(Tally::new());
    let went = runner.run(&scripts(STEPS_MAX), |script| {
        let went = Handle::current().block_on(go(world, &script)).map_err(|wrong| {
            println!("a walk of {} steps went wrong {wrong}", script.len());
            TestCaseError::fail(wrong)
        })?;
        for (came, count) in went {
            *tally.borrow_mut().entry(came).or_default() += count;
        }
        Ok(())
    });
    match went {
        Ok(()) => println!("{walks} walks: {:?}", tally.into_inner()),
        Err(TestError::Fail(reason, script)) => {
            panic!("{reason}\nthe walk, of {} steps:\n{}", script.len(), lines(&script))
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

on_both_stores! {
    async fn the_store_is_what_the_rules_say_wherever_a_walk_leads(world: World) {
        // S1 S2 S3 S4 S5 S6 S7 S10 S11 S21 D6 G2 G5 M6
        let mut world = world;
        configure(&mut world);
        migrated(&world).await.close().await.expect("closed");
        if let Ok(file) = std::env::var("ENTITLED_TEST_SCRIPT") {
            let script = read(&std::fs::read_to_string(file).expect("a script"));
            let tally = go(&world, &script).await.unwrap_or_else(|wrong| panic!("{wrong}"));
            println!("{tally:?}");
            return;
        }
        for script in FOUND {
            let went = go(&world, &read(script)).await;
            drop(went.unwrap_or_else(|wrong| panic!("{wrong}\nthe walk:\n{script}")));
        }
        tokio::task::block_in_place(|| wander(&world, rounds(WALKS)));
    }
}
