//! The gate's invariants over random schedules of everything that can happen to it: requests, some of them
//! held in flight across any other step, upstream failures, functions that die at any await, wipes and evictions,
//! replicas that lag behind, Redis away and back, conflicts, throttles, lost and late answers of DynamoDB, sweeps
//! with failing neighbours, clock moves and month ends.
//!
//! The library runs against a real Redis server and the embedded DynamoDB.

mod run;

use std::{sync::Arc, time::Duration};

use local::dynamodb::Trouble;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;

use self::run::Run;
use crate::util::World;

/// Most requests asked for at once; a minute of the Free plan allows ten.
const MOST_AT_ONCE: u64 = 8;

/// How much longer transactions take, so that they are in each other's way.
const TRANSACTION: Duration = Duration::from_millis(3);

#[derive(Clone, Debug)]
enum Step {
    Ask,
    AskTogether(usize),
    /// A batch: so many requests at once, all or none.
    AskMany(u64),
    /// So many at once, which stay in flight.
    Hold(u64),
    /// One of those in flight ends; so many of it are given back.
    End(usize, u64),
    /// As before, while another request is at its n-th await: it may be replacing the lease.
    EndDuring(usize, u64, usize),
    /// The lease is used up, and its last request fails while another one is at its n-th await.
    FailInRefill(usize),
    /// The upstream fails: the request is given back.
    Fail,
    /// Of a batch, so many are not found: they are given back.
    FailPartly(u64, u64),
    /// The function dies at its n-th await, while it asks for so many at once.
    Die(usize, u64),
    DieInSweep(usize),
    Sweep,
    /// The next so many calls on `quotas` meet this.
    Trouble(Trouble, u32),
    /// An account whose gate is no gate: no sweep can do anything about it.
    FailingNeighbour,
    Wipe,
    /// Redis evicts the account's gate.
    EvictGate,
    /// It evicts the list of those who hold a lease.
    EvictLeases,
    Snapshot,
    RestoreStale,
    RedisAway,
    RedisBack,
    Wait(i64),
    NextMonth,
    ClockBack,
    RevokeAndReplaceKey,
}

fn trouble() -> impl Strategy<Value = Step> {
    let trouble = prop_oneof![
        3 => Just(Trouble::Conflict),
        2 => Just(Trouble::Throttle),
        1 => Just(Trouble::Fail),
        3 => Just(Trouble::Lose),
        1 => Just(Trouble::Late(Duration::from_millis(30))),
    ];
    (trouble, 1u32..4).prop_map(|(trouble, calls)| Step::Trouble(trouble, calls))
}

fn steps(stale: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => Just(Step::Ask),
        3 => (2usize..6).prop_map(Step::AskTogether),
        4 => (2..=MOST_AT_ONCE).prop_map(Step::AskMany),
        8 => prop_oneof![3 => Just(1), 1 => 2..=MOST_AT_ONCE].prop_map(Step::Hold),
        5 => (0usize..8, 0..=MOST_AT_ONCE).prop_map(|(which, back)| Step::End(which, back)),
        4 => (0usize..8, 0..=MOST_AT_ONCE, 1usize..40)
            .prop_map(|(which, back, at)| Step::EndDuring(which, back, at)),
        4 => (1usize..40).prop_map(Step::FailInRefill),
        2 => Just(Step::Fail),
        3 => (2..=MOST_AT_ONCE).prop_flat_map(|count| (Just(count), 1..=count))
            .prop_map(|(count, back)| Step::FailPartly(count, back)),
        3 => (1usize..40, prop_oneof![2 => Just(1), 1 => 2..=MOST_AT_ONCE])
            .prop_map(|(at, count)| Step::Die(at, count)),
        2 => (1usize..20).prop_map(Step::DieInSweep),
        3 => Just(Step::Sweep),
        6 => trouble(),
        1 => Just(Step::FailingNeighbour),
        1 => Just(Step::Wipe),
        1 => Just(Step::EvictGate),
        1 => Just(Step::EvictLeases),
        if stale { 2 } else { 1 } => Just(Step::Snapshot),
        if stale { 2 } else { 1 } => Just(if stale { Step::RestoreStale } else { Step::Ask }),
        1 => Just(Step::RedisAway),
        2 => Just(Step::RedisBack),
        6 => (1i64..120).prop_map(Step::Wait),
        1 => Just(Step::NextMonth),
        1 => Just(Step::ClockBack),
        1 => Just(Step::RevokeAndReplaceKey),
    ];
    prop::collection::vec(step, 1..120)
}

fn started() -> (Runtime, Arc<World>) {
    let runtime = Runtime::new().expect("a runtime");
    let world = Arc::new(runtime.block_on(World::start()));
    world.cloud.dynamodb.slow_transactions(TRANSACTION);
    (runtime, world)
}

async fn run(world: &Arc<World>, steps: &[Step]) {
    let mut run = Run::new(world.clone()).await;
    for step in steps {
        run.take(step).await;
        run.check().await;
    }
    run.finish().await;
}

fn hold_for(cases: u32, stale: bool) {
    let (runtime, world) = started();
    // What fails is printed whole; a file of seeds would not help, as timing is part of it.
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&steps(stale), |steps| {
        runtime.block_on(run(&world, &steps));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(world.cloud.dynamodb.end_troubles() > 0, "no call has met anything");
}

#[test]
fn whatever_happens_no_quota_is_over_served_and_what_is_provably_unserved_comes_back() {
    hold_for(24, false);
}

#[test]
fn a_stale_replica_costs_at_most_its_leases() {
    hold_for(12, true);
}

/// Goes through one schedule of several in a test.
#[expect(clippy::print_stdout, reason = "a failure shows by it which schedule it was")]
fn follow(runtime: &Runtime, world: &Arc<World>, schedule: &[Step]) {
    println!("{schedule:?}");
    runtime.block_on(run(world, schedule));
}

/// The first lease of the Free plan is of four requests.
#[test]
fn what_is_given_back_late_goes_to_its_own_lease_or_period() {
    let (runtime, world) = started();
    let used_up = || vec![Step::Hold(1); 4];
    let after = |steps: Vec<Step>| [used_up(), steps].concat();
    let ended = || vec![Step::End(0, 1); 4];
    let mut schedules = vec![
        // The lease has been replaced.
        after([vec![Step::Ask], ended()].concat()),
        // It is of another month by now.
        after([vec![Step::NextMonth, Step::Ask], ended()].concat()),
        // It was taken back, written off, or forgotten.
        after([vec![Step::Wait(30), Step::Sweep], ended()].concat()),
        after([vec![Step::Wipe], ended()].concat()),
        after([vec![Step::EvictGate, Step::Ask], ended()].concat()),
        after([vec![Step::RevokeAndReplaceKey], ended()].concat()),
        // Its credit meets a conflict, a throttle, a lost answer.
        after([vec![Step::Ask, Step::Trouble(Trouble::Conflict, 3)], ended()].concat()),
        after([vec![Step::Ask, Step::Trouble(Trouble::Throttle, 3)], ended()].concat()),
        after([vec![Step::Ask, Step::Trouble(Trouble::Lose, 3)], ended()].concat()),
    ];
    // It is being replaced, wherever that has got to.
    schedules.extend((1..40).step_by(2).map(|at| after(vec![Step::EndDuring(0, 1, at)])));
    for schedule in schedules {
        follow(&runtime, &world, &schedule);
    }
}

/// Each trouble is of single calls that are sent again.
#[test]
fn without_redis_no_lost_answer_is_charged_twice() {
    let (runtime, world) = started();
    for trouble in [Trouble::Lose, Trouble::Conflict, Trouble::Throttle, Trouble::Fail] {
        let mut schedule = vec![Step::RedisAway];
        for _ in 0..5 {
            schedule.extend([Step::Trouble(trouble, 2), Step::Ask, Step::Wait(45)]);
        }
        follow(&runtime, &world, &schedule);
    }
}
