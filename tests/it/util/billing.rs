//! What billing stores, in the form in which the service stores it.

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};
use vidintel::{
    accounts::{PastPeriod, Pending, Span, Subscription},
    billing::{
        record::{Record, RecordKind, RecordLine},
        task::{PlanChange, RefundRequest, RefundState, Sign, Task, WORK, Work},
    },
    inventory::{BILLING_RECORDS, Table},
    plans::Plan,
};

use local::standins::stripe::{Card, Webhooks};
use vidintel::{app::App, billing::stripe::CheckoutOrder};

use super::{Customer, World, plant::plant};

/// A cloud in which no event of Stripe's arrives by itself.
pub(crate) async fn unheard() -> World {
    let world = World::start().await;
    world.cloud.stripe.set_webhooks(Webhooks::default());
    world
}

/// Makes `customer` one of Stripe's and pays for `plan` there. Nothing of that is written down here but
/// the customer's number, which it returns.
pub(crate) async fn buy(world: &World, app: &App, customer: &Customer, plan: Plan) -> String {
    let (at_stripe, session) = open_checkout(world, app, customer, plan).await;
    world.cloud.stripe.pay(&session, Card::Good).expect("paid");
    at_stripe
}

/// Opens a checkout for `plan`: the customer's number, and the session's.
pub(crate) async fn open_checkout(
    world: &World,
    app: &App,
    customer: &Customer,
    plan: Plan,
) -> (String, String) {
    let stripe = app.stripe().await.expect("set up");
    stripe.prepare().await.expect("prices");
    let account = customer.account_id.as_str();
    let email = "eraseme@example.com";
    let made = stripe.create_customer(account, email, Some("eraseme Ltd"), account).await;
    let at_stripe = made.expect("a customer").id;
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": account } },
        "UpdateExpression": "SET customer = :customer",
        "ExpressionAttributeValues": { ":customer": { "S": at_stripe } },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("updated");
    let price = stripe.price(plan).await.expect("asked").expect("a price");
    let order = CheckoutOrder {
        customer: &at_stripe,
        account,
        price: &price,
        success_url: "https://www.example.com/done".to_owned(),
        cancel_url: "https://www.example.com/back".to_owned(),
        is_taxed: false,
    };
    let key = format!("checkout {}", vidintel::ids::random_base62(12));
    let session = stripe.create_checkout(&order, &key).await.expect("a session").id;
    (at_stripe, session)
}

/// Plain JSON as DynamoDB's JSON.
fn typed(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(it) => json!({ "BOOL": it }),
        Value::Number(it) => json!({ "N": it.to_string() }),
        Value::String(it) => json!({ "S": it }),
        Value::Array(all) => json!({ "L": all.iter().map(typed).collect::<Vec<_>>() }),
        Value::Object(_) => json!({ "M": attributes(value) }),
    }
}

fn attributes(value: &Value) -> Value {
    let all = value.as_object().expect("an object").iter();
    all.map(|(name, value)| (name.clone(), typed(value))).collect::<Map<_, _>>().into()
}

/// A first month on Pro: its invoice with two lines, its receipt and its payment.
pub(crate) fn records(account: &str, at: OffsetDateTime) -> Vec<Record> {
    let issued_at = at.unix_timestamp();
    let line = |description: &str, cents, plan| RecordLine {
        description: description.to_owned(),
        cents,
        from: issued_at,
        to: issued_at + 30 * 86_400,
        plan,
    };
    let record = |kind: RecordKind, source: &str| Record {
        account: account.parse().expect("an account"),
        record: format!("{}#{kind:?}#{source}", at.date()).to_lowercase(),
        kind,
        source: source.to_owned(),
        issued_at,
        amount_cents: 2000,
        tax_cents: None,
        currency: "usd".to_owned(),
        number: None,
        of: None,
        lines: Vec::new(),
        email: None,
        company: None,
        balance_cents: None,
        paid_cents: None,
        payment_intent: None,
    };
    let named = |it: Record| Record {
        number: Some("ABC-0001".to_owned()),
        tax_cents: Some(0),
        of: Some("sub_1".to_owned()),
        email: Some("eraseme@example.com".to_owned()),
        company: Some("eraseme Ltd".to_owned()),
        ..it
    };
    let lines =
        vec![line("1 × Pro", 2500, Some(Plan::Pro)), line("Unused time on Basic", -500, None)];
    vec![
        named(Record { lines, ..record(RecordKind::Invoice, "in_1") }),
        named(record(RecordKind::Receipt, "in_1")),
        Record { of: Some("in_1".to_owned()), ..record(RecordKind::Payment, "ch_1") },
    ]
}

/// A task of each kind, one of them closed.
pub(crate) fn tasks(account: &str, now: OffsetDateTime) -> Vec<Task> {
    let refund = RefundRequest {
        invoice: "in_1".to_owned(),
        charge: "ch_1".to_owned(),
        cents: 1000,
        returned_cents: 0,
        credited_cents: 0,
        failures: 0,
        currency: "usd".to_owned(),
        asked_at: now.unix_timestamp(),
        state: RefundState::Refused,
        reason: Some("it is too late".to_owned()),
        decided_at: Some(now.unix_timestamp()),
    };
    let dunning =
        Work::Dunning { subscription: "sub_1".to_owned(), since: now.unix_timestamp(), sent: 1 };
    let mail = Work::RecordMail { record: "2026-11-24#receipt#in_1".to_owned() };
    let flag = Work::Flag { sign: Sign::Dispute, detail: "du_1 fraudulent".to_owned() };
    let all = [
        ("mail#1", mail),
        ("ended#sub_1", Work::EndedMail { unpaid: true }),
        (
            "mail#plan#1",
            Work::PlanMail {
                change: PlanChange::Ends,
                plan: Plan::Pro,
                from: Some(now.unix_timestamp()),
            },
        ),
        ("mail#refund#in_1", Work::RefundMail { cents: 500, currency: "usd".to_owned() }),
        (
            "mail#keys#1",
            Work::KeysMail { made: vec!["ci".to_owned()], revoked: vec!["old".to_owned()] },
        ),
        ("dunning#sub_1", dunning),
        ("refund#in_1", Work::Refund(refund)),
        ("flag#dispute#du_1", flag),
    ];
    let account = account.parse().expect("an account");
    let tasks = all.into_iter().map(|(name, work)| {
        let mut task = Task::new(&account, name.to_owned(), work, WORK, now);
        if name == "refund#in_1" {
            task.close(now);
        }
        task
    });
    tasks.collect()
}

/// Stores `record` with its end.
pub(crate) async fn plant_record(world: &World, record: &Record) {
    let issued = OffsetDateTime::from_unix_timestamp(record.issued_at).expect("a time");
    let expiry = BILLING_RECORDS.expiry(issued, &record.record);
    let mut item = attributes(&serde_json::to_value(record).expect("JSON"));
    item["expires_at"] = json!({ "N": expiry.at.to_string() });
    item["expires_on"] = json!({ "S": expiry.on });
    plant(&world.cloud, Table::BillingRecords, &item).await;
}

/// Stores what billing keeps about `account`: records of yesterday, and a task of each kind.
pub(crate) async fn plant_billing(world: &World, account: &str) {
    let now = world.cloud.clock.now();
    for record in records(account, now - Duration::days(1)) {
        plant_record(world, &record).await;
    }
    for task in tasks(account, now) {
        let item = attributes(&serde_json::to_value(task).expect("JSON"));
        plant(&world.cloud, Table::BillingTasks, &item).await;
    }
}

/// Makes `account` one that has bought Pro, with everything that can be known of that.
pub(crate) async fn plant_subscription(world: &World, account: &str) {
    let start = world.cloud.clock.now().unix_timestamp();
    let month = 30 * 86_400;
    let subscription = Subscription {
        id: "sub_1".to_owned(),
        plan: Plan::Pro,
        next_plan: Some(Plan::Basic),
        anchor: start,
        period: Span { start, end: start + month },
        ends_at: Some(start + month),
        past_due_since: Some(start),
        paid_to: Some(start + month),
        pending: Some(Pending { plan: Plan::Business, until: start + month }),
        pay_page: Some("https://invoice.stripe.com/i/eraseme".to_owned()),
    };
    let span = Span { start: start - month, end: start };
    let past = PastPeriod { span, quota: Some(10_000) };
    let json = |value: Value| typed(&value);
    let update = json!({
        "TableName": world.cloud.dynamodb.table("accounts"),
        "Key": { "id": { "S": account } },
        "UpdateExpression": "SET customer = :customer, subscription = :bought, past_period = :past",
        "ExpressionAttributeValues": {
            ":customer": { "S": "cus_1" },
            ":bought": json(serde_json::to_value(subscription).expect("JSON")),
            ":past": json(serde_json::to_value(past).expect("JSON")),
        },
    });
    world.cloud.dynamodb.call("UpdateItem", &update).await.expect("updated");
}
