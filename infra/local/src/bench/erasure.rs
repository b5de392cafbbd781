//! What erasing an account costs: by what it has, and by what others have.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use time::Duration;

use super::{
    report::Report,
    retention::{Spent, fill, item_of},
    world::{Request, World},
};

const JOB: &str = "ProcessDeletionsFunction";
/// Packs of the account that is erased. A full one holds 300 requests.
const OWN: [usize; 3] = [100, 1_000, 10_000];
/// Packs of others beside it.
const OTHERS: [usize; 2] = [10_000, 100_000];

pub(super) async fn run(world: &mut World, report: &mut Report<'_>) -> Result<()> {
    report.section("7. Erasing an account")?;
    let (mut there, mut costs) = (0, Vec::new());
    for others in OTHERS {
        let now = world.cloud.clock.now();
        let more = (there..others).map(|n| item_of("acc_others", n, now + Duration::days(29)));
        fill(&world.cloud.dynamodb, more).await?;
        there = others;
        for own in OWN {
            let spent = erase(world, &format!("erased-{others}-{own}@example.com"), own).await?;
            let Spent { requests, reads, writes } = spent;
            report.figure(
                &format!("{own} packs of its own, {others} of others"),
                format!("{requests} calls, {writes:.0} write + {reads:.0} read units"),
            )?;
            costs.push((own, others, spent.dollars()));
        }
    }
    let cost = |own: usize, others: usize| {
        costs.iter().find(|it| (it.0, it.1) == (own, others)).map_or(0.0, |it| it.2)
    };
    let [_, some, many] = OWN;
    let linear = cost(many, OTHERS[0]) / cost(some, OTHERS[0]);
    let name = format!("ratio: price of {many} packs / of {some}");
    report.goal(&name, format!("{linear:.2}"), "linear: ≤ 10", linear <= 10.0)?;
    let growth = cost(many, OTHERS[1]) / cost(many, OTHERS[0]);
    let name = format!("ratio: price beside {} / {} of others", OTHERS[1], OTHERS[0]);
    report.goal(&name, format!("{growth:.3}"), "flat: ≤ 1.01", growth <= 1.01)
}

/// Opens an account, gives it `own` packs and has it erased.
async fn erase(world: &mut World, email: &str, own: usize) -> Result<Spent> {
    let key = world.sign_up(email).await?;
    let account = world.account_of(&key)?;
    let now = world.cloud.clock.now();
    let packs = (0..own).map(|n| {
        let mut item = item_of("", n, now + Duration::days(29));
        item["account_day"] = json!({ "S": format!("{account}#{}", now.date()) });
        item["pack"] = json!({ "S": format!("{n:06}") });
        item
    });
    fill(&world.cloud.dynamodb, packs).await?;
    let request = Request { path: "/v1/privacy/deletions".to_owned(), key };
    let answer = world.post(&request, &json!({ "confirm": true })).await?;
    ensure!(answer["state"] == "scheduled", "the answer is {answer}");
    Ok(finish(world).await?.0)
}

/// Lets the deletion that was confirmed last run to its end; what its runs spent, and how long they were
/// at work.
pub(super) async fn finish(world: &World) -> Result<(Spent, std::time::Duration)> {
    let (mut spent, mut last) = (Spent::default(), Value::Null);
    let mut busy = std::time::Duration::ZERO;
    for wait in [Duration::days(7), Duration::minutes(6), Duration::minutes(3)] {
        world.wait(wait).await;
        world.cloud.dynamodb.reset_counts();
        let started = Instant::now();
        last = world.cloud.run_job(JOB).await?;
        busy += started.elapsed();
        let run = Spent::of(&world.cloud.dynamodb.counts());
        spent.requests += run.requests;
        spent.reads += run.reads;
        spent.writes += run.writes;
    }
    ensure!(last["done"] == 1, "the job says {last}");
    Ok((spent, busy))
}
