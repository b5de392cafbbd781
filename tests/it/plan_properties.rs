//! Random customers against the Stripe stand-in: whatever they change, pay, do not pay, confirm and take back, no more
//! is available than was paid for, and the records come to what Stripe has.
//!
//! Beside `shared/src/billing/standing/properties.rs`, which has many more cases of a model.

use std::collections::{BTreeMap, BTreeSet};

use local::standins::stripe::Card;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use time::Duration;
use vidintel::{
    billing::{
        GRACE_DAYS, record,
        stripe::{Invoice, InvoiceStatus},
    },
    plans::{Period, Plan},
};

use crate::util::{
    Customer, World,
    purchases::{WORK, account_of, id_of, library},
};

/// Customers, each in a world of its own.
const CASES: usize = 6;

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    Change(Plan),
    Card(Card),
    Confirm,
    Refund,
    Dispute,
}

fn act() -> impl Strategy<Value = Act> {
    let plan = || prop::sample::select(Plan::ALL.to_vec());
    let card = || prop::sample::select(vec![Card::Good, Card::FailsLater, Card::MustConfirm]);
    prop_oneof![
        3 => (1_i64..20 * 24).prop_map(Act::Wait),
        2 => (1_i64..24).prop_map(Act::Wait),
        6 => plan().prop_map(Act::Change),
        2 => card().prop_map(Act::Card),
        2 => Just(Act::Confirm),
        1 => Just(Act::Refund),
        1 => Just(Act::Dispute),
    ]
}

/// A customer, and what has been seen of it.
struct Life {
    world: World,
    customer: Customer,
    at_stripe: String,
    card: Card,
    /// By the beginning of each period: the invoices that pay for it.
    backed: BTreeMap<i64, BTreeSet<String>>,
    /// What the bank has taken.
    taken: i64,
    /// All that has been done.
    so_far: String,
}

impl Life {
    async fn new() -> Self {
        let world = World::start().await;
        world.sell().await;
        let customer = world.customer("ada@example.com").await;
        let at_stripe = world.buy("basic", &customer, Card::Good).await;
        Self {
            world,
            customer,
            at_stripe,
            card: Card::Good,
            backed: BTreeMap::new(),
            taken: 0,
            so_far: String::new(),
        }
    }

    async fn act(&mut self, act: &Act) {
        let stripe = &self.world.cloud.stripe;
        match act {
            Act::Wait(hours) => self.world.pass(Duration::hours(*hours)).await,
            Act::Change(plan) => self.change(*plan).await,
            Act::Card(card) => {
                self.card = *card;
                stripe.set_card(&self.at_stripe, *card).expect("set");
            }
            Act::Confirm => {
                let open = stripe.invoices(&self.at_stripe);
                for invoice in open.iter().filter(|it| it.status == "open") {
                    // There may be nothing to confirm: another card has been put in.
                    let _ = stripe.confirm(&invoice.id);
                }
            }
            Act::Refund | Act::Dispute => {
                let charges = stripe.charges(&self.at_stripe);
                let whole = charges.iter().rev().find(|it| it.paid);
                let whole = whole.filter(|it| it.amount_refunded == 0 && !it.disputed);
                if let Some(charge) = whole {
                    if matches!(act, Act::Refund) {
                        stripe
                            .refund_from_dashboard(&charge.id, charge.amount)
                            .expect("given back");
                    } else {
                        stripe.dispute(&charge.id).expect("disputed");
                        self.taken += charge.amount;
                    }
                }
            }
        }
        self.world.cloud.settle().await;
        self.world.run_job(WORK).await;
        self.world.cloud.settle().await;
    }

    async fn change(&self, plan: Plan) {
        let all = self.world.cloud.stripe.subscriptions(&self.at_stripe);
        if all.iter().any(|it| it.status != "canceled") {
            let answer = self.world.change(plan.name(), &self.customer).await;
            let known = [200, 202, 402, 409];
            assert!(known.contains(&answer.status.as_u16()), "{}", answer.text());
        } else if plan != Plan::Free {
            self.world.buy(plan.name(), &self.customer, self.card).await;
        }
    }

    /// What is available now against what Stripe says has been paid for it.
    async fn check(&mut self) {
        let now = self.world.cloud.clock.now();
        let account = account_of(&self.world, &self.customer).await;
        let (plan, quota, period) =
            (account.plan_at(now), account.quota_at(now), account.period(now));
        let shown = self.world.get("/v1/usage", &self.customer).await.json();
        assert_eq!(shown["limit"], quota, "{shown}");
        self.check_money().await;
        if plan == Plan::Free {
            assert_eq!(quota, Plan::Free.requests_per_period());
            return;
        }
        let start = period.start.unix_timestamp();
        let stripe = library(&self.world).stripe().await.expect("Stripe");
        let invoices = stripe.invoices(&self.at_stripe).await.expect("read");
        let pays = |it: &&Invoice| {
            let lines = it.lines.iter();
            let mut lines = lines.filter(|it| it.period.start == start && it.cents > 0);
            let worth = |it: &vidintel::billing::stripe::Line| {
                let plan = it.plan.expect("a plan");
                plan.requests_per_period() * it.cents.unsigned_abs()
                    / plan.cents_per_month().unsigned_abs()
            };
            it.status == InvoiceStatus::Paid
                && !self.has_gone_back(it)
                && lines.any(|it| worth(it) >= quota)
        };
        if let Some(paid) = invoices.iter().find(pays) {
            self.backed.entry(start).or_default().insert(paid.id.clone());
            let uses = self.backed.values().filter(|it| it.contains(&paid.id)).count();
            assert_eq!(uses, 1, "{} pays for {uses} periods: {}", paid.id, self.so_far);
            return;
        }
        let anchor = account.subscription.expect("one").anchor;
        let anchor = time::OffsetDateTime::from_unix_timestamp(anchor).expect("an instant");
        let month = Period::billed_month_of(anchor, period.start);
        let length = (month.end - month.start).whole_seconds().unsigned_abs();
        let grace = Duration::days(GRACE_DAYS).whole_seconds().unsigned_abs();
        let share = plan.requests_per_period() * grace / length;
        let acts = &self.so_far;
        assert!(quota <= share, "{quota} of {plan:?}, {share} may be used unpaid: {acts}");
    }

    fn has_gone_back(&self, invoice: &Invoice) -> bool {
        let charges = self.world.cloud.stripe.charges(&self.at_stripe);
        let paid = charges.iter().filter(|it| it.paid && it.amount == invoice.paid_cents);
        // Amounts and times tell the payments of one customer apart.
        let mut paid = paid.filter(|it| Some(it.created) == invoice.paid_at);
        paid.any(|it| it.disputed || it.amount_refunded == it.amount)
    }

    async fn check_money(&self) {
        let app = library(&self.world);
        let records = record::of_account(&app.store, &id_of(&self.customer)).await.expect("read");
        let here: i64 = records.iter().map(|it| it.kind.money(it.amount_cents)).sum();
        let there = self.world.cloud.stripe.totals(&self.at_stripe);
        assert_eq!(here, there.charged - there.refunded - self.taken, "{}", self.so_far);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_available_than_was_paid_for_and_the_sums_are_stripes() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..CASES {
        let acts = prop::collection::vec(act(), 12).new_tree(&mut runner).expect("acts").current();
        let mut life = Life::new().await;
        life.check().await;
        for (n, act) in acts.iter().enumerate() {
            life.act(act).await;
            life.so_far = format!("{:?}", &acts[..=n]);
            life.check().await;
        }
    }
}
