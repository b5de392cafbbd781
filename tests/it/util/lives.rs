//! The billing lives of customers: checkouts, changes, failing cards, disputes, refunds and ends, made up
//! from a seed, so that two worlds live through the same.

use local::standins::stripe::{Card, EventView};
use time::{Duration, OffsetDateTime};
use vidintel::{
    accounts::{Account, EmailAddress, Status},
    app::App,
    billing::{
        Stripe,
        stripe::{CheckoutOrder, PriceChange},
    },
    ids::AccountId,
    inventory::Table,
    plans::Plan,
};

use super::{World, plant::plant_item};

/// Pseudo-random numbers (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Customers and what has happened to them so far.
pub(crate) struct Lives {
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) customers: Vec<String>,
    stripe: Stripe,
    chance: Chance,
    steps: u64,
}

impl Lives {
    /// `count` customers of Stripe with their accounts.
    pub(crate) async fn begin(world: &World, app: &App, count: usize, seed: u64) -> Self {
        let stripe = app.stripe().await.expect("Stripe");
        stripe.prepare().await.expect("prices");
        let (mut accounts, mut customers) = (Vec::new(), Vec::new());
        for n in 0..count {
            let id: AccountId = format!("acc_Life{n:08}").parse().expect("an id");
            let email = format!("life{n}@example.com");
            let made = stripe.create_customer(&id.to_string(), &email, None, &email).await;
            let customer = made.expect("a customer").id;
            let now = world.cloud.clock.now();
            plant_item(app, Table::Accounts, &account(id.clone(), &email, &customer, now)).await;
            accounts.push(id);
            customers.push(customer);
        }
        Self { accounts, customers, stripe, chance: Chance::new(seed), steps: 0 }
    }

    /// Lets five days pass and something happen to some; the events of it, in order.
    pub(crate) async fn step(&mut self, world: &World) -> Vec<EventView> {
        self.steps += 1;
        for n in 0..self.customers.len() {
            if self.steps == 1 || self.chance.below(6) == 0 {
                self.act(world, n).await;
            }
        }
        world.wait(Duration::days(5));
        let at_stripe = &world.cloud.stripe;
        let until = world.cloud.clock.now();
        while let Some(due) = at_stripe.next_due().filter(|due| *due <= until) {
            at_stripe.run_due(due);
        }
        at_stripe.run_due(until);
        at_stripe.take_events()
    }

    /// One thing that happens to the `n`-th customer. What is not possible now does not happen.
    async fn act(&mut self, world: &World, n: usize) {
        let (at_stripe, customer) = (&world.cloud.stripe, self.customers[n].clone());
        let key = format!("{n} {}", self.steps);
        let bought = self.stripe.subscriptions(&customer).await.expect("subscriptions");
        let plan = Plan::ALL[1 + self.chance.below(3)];
        let price = self.stripe.price(plan).await.expect("read").expect("a price");
        let choice = self.chance.below(12);
        let Some(live) = bought.iter().find(|it| it.is_open()) else {
            let order = CheckoutOrder {
                customer: &customer,
                account: &self.accounts[n].to_string(),
                price: &price,
                success_url: "https://api.example.com/done".to_owned(),
                cancel_url: "https://api.example.com/cancelled".to_owned(),
                is_taxed: false,
            };
            let session = self.stripe.create_checkout(&order, &key).await.expect("a session");
            let card = if choice < 3 { Card::FailsLater } else { Card::Good };
            at_stripe.pay(&session.id, card).expect("paid");
            return;
        };
        let charges = at_stripe.charges(&customer);
        let last = charges.iter().rev().find(|it| it.paid && !it.disputed);
        match choice {
            0 | 1 => {
                let change = PriceChange::AtOnce;
                // A card that fails leaves everything as it was.
                let _ = self.stripe.change_price(live, &price, change, &key).await;
            }
            2 => {
                let (Some(period), Some(keep)) = (live.period, live.plan) else { return };
                let bought_at = live.price.clone().unwrap_or_default();
                let (until, ends) = (period.end, false);
                let change = PriceChange::Later { keep, until, price: &bought_at, ends };
                let _ = self.stripe.change_price(live, &price, change, &key).await;
            }
            3 => drop(at_stripe.cancel_at_period_end(&customer)),
            4 => drop(at_stripe.keep_after_period_end(&customer)),
            5 => drop(at_stripe.set_card(&customer, Card::FailsLater)),
            6 | 7 => drop(at_stripe.set_card(&customer, Card::Good)),
            8 => {
                if let Some(charge) = last {
                    drop(at_stripe.refund_from_dashboard(&charge.id, 100));
                }
            }
            9 => {
                if let Some(charge) = last {
                    drop(at_stripe.dispute(&charge.id));
                }
            }
            10 => drop(at_stripe.cancel(&live.id)),
            _ => drop(at_stripe.pause(&live.id)),
        }
    }
}

fn account(id: AccountId, email: &str, customer: &str, now: OffsetDateTime) -> Account {
    Account {
        id,
        email: EmailAddress::parse(email).expect("an address"),
        email_hash: format!("made up for {email}"),
        company: None,
        plan: Plan::Free,
        customer: Some(customer.to_owned()),
        mail_stopped: None,
        mail_confirmed_at: None,
        past_customers: Vec::new(),
        subscription: None,
        past_period: None,
        billing_version: 0,
        status: Status::Active,
        created_at: now.unix_timestamp(),
        policy_version: "1.0".to_owned(),
        policy_accepted_at: now.unix_timestamp(),
        marketing_consent_at: None,
        gate_version: 1,
        key_count: 0,
        erasure: None,
        export: None,
        status_untold: false,
    }
}
