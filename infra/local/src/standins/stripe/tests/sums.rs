//! Money is neither made nor lost, whatever changes when.

use proptest::prelude::*;
use time::{Duration, macros::datetime};

use super::super::{
    Card, Stripe, catalogue, checkout, customers,
    model::{Invoice, InvoiceStatus, Subscription},
    months::share,
    params::Params,
    state::State,
    subscriptions,
};
use crate::clock::Clock;

const AMOUNTS: [i64; 4] = [500, 1_999, 2_000, 10_000];

fn make(
    state: &mut State,
    handler: fn(&mut State, &str, &mut Params) -> super::super::api::Answer,
    form: &str,
) -> String {
    let made = handler(state, "", &mut Params::parse(form.as_bytes())).expect("made");
    made["id"].as_str().expect("an id").to_owned()
}

/// What one change says of the rest of a period.
fn check_lines(invoice: &Invoice, before: &Subscription, prices: &[i64; 2], now: i64) {
    let (whole, part) = (before.period_end - before.period_start, before.period_end - now);
    let amounts: Vec<_> = invoice.lines.iter().map(|it| it.amount).collect();
    let wanted = [-share(prices[0], part, whole), share(prices[1], part, whole)];
    assert!(amounts.ends_with(&wanted), "{amounts:?}, not {wanted:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_charged_and_owed_is_what_the_lines_say(
        changes in prop::collection::vec(
            (0_usize..4, 1_i64..4_000_000, any::<bool>()), 1..12
        ),
    ) {
        let clock = Clock::frozen_at(datetime!(2027-01-31 10:00 UTC));
        let stripe = Stripe::new(clock.clone());
        let (prices, customer) = stripe.with(|state| {
            make(state, catalogue::create_product, "id=plan&name=Plan");
            let prices = AMOUNTS.map(|amount| {
                let form = format!(
                    "product=plan&currency=usd&unit_amount={amount}&recurring[interval]=month"
                );
                make(state, catalogue::create_price, &form)
            });
            let customer = make(state, customers::create, "");
            let session = make(state, checkout::create, &format!(
                "mode=subscription&customer={customer}&success_url=https://example.com\
                 &line_items[0][quantity]=1&line_items[0][price]={}\
                 &subscription_data[billing_mode][type]=classic", prices[0]
            ));
            checkout::complete(state, &session, Card::Good).expect("paid");
            (prices, customer)
        });
        for (to, seconds, at_once) in changes {
            let target = clock.now() + Duration::seconds(seconds);
            while let Some(at) = stripe.next_due().filter(|at| *at <= target) {
                clock.set(at);
                stripe.run_due(at);
            }
            clock.set(target);
            stripe.with(|state| {
                let before = state.subscriptions.iter().next().expect("one").clone();
                let prorates = if at_once { "always_invoice" } else { "create_prorations" };
                let form = format!(
                    "items[0][id]={}&items[0][price]={}&proration_behavior={prorates}",
                    before.item, prices[to]
                );
                let changed = before.price != prices[to];
                let mut params = Params::parse(form.as_bytes());
                subscriptions::update(state, &before.id, &mut params).expect("changed");
                if changed && at_once {
                    let from = prices.iter().position(|it| *it == before.price).expect("known");
                    let invoice = state.invoices.iter().last().expect("an invoice");
                    check_lines(invoice, &before, &[AMOUNTS[from], AMOUNTS[to]], state.now);
                }
            });
        }
        let (total, balance) = stripe.with(|state| {
            let done = state.invoices.iter().filter(|it| it.status != InvoiceStatus::Draft);
            let total: i64 = done.map(Invoice::total).sum();
            (total, state.customers.get(&customer).expect("one").balance)
        });
        prop_assert_eq!(total, stripe.totals(&customer).charged + balance);
        for invoice in stripe.invoices(&customer) {
            prop_assert!(invoice.status == "draft" || invoice.status == "paid");
        }
    }
}
