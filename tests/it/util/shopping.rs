//! Customers who buy plans.

use local::{http::Response, standins::stripe::Card};
use serde_json::{Value, json};
use time::Duration;

use super::{Customer, World, app_of};

impl World {
    /// Has the operator's prices made at Stripe.
    pub(crate) async fn sell(&self) {
        let app = app_of(&self.cloud, self.cloud.redis.direct_url());
        let stripe = app.stripe().await.expect("Stripe");
        stripe.prepare().await.expect("prices");
    }

    /// Posts to an endpoint of billing under an `Idempotency-Key`.
    pub(crate) async fn post_as(
        &self,
        path: &str,
        plan: &str,
        customer: &Customer,
        key: &str,
    ) -> Response {
        let body = json!({ "plan": plan });
        let client = self.cloud.client();
        let request = client.post(path, &body).key(&customer.key);
        self.send(request.header("idempotency-key", key)).await
    }

    /// Opens a checkout.
    pub(crate) async fn checkout(&self, plan: &str, customer: &Customer) -> Response {
        self.post("/v1/billing/checkout", &json!({ "plan": plan }), customer).await
    }

    /// Buys a plan, and lets the events of it come; the customer's id at Stripe.
    pub(crate) async fn buy(&self, plan: &str, customer: &Customer, card: Card) -> String {
        let opened = self.checkout(plan, customer).await;
        assert_eq!(opened.status, 201, "{}", opened.text());
        let session = opened.json()["id"].as_str().expect("an id").to_owned();
        self.cloud.stripe.pay(&session, card).expect("paid");
        self.cloud.settle().await;
        let is_of = |id: &String| {
            self.cloud.stripe.customer(id)["metadata"]["account"] == customer.account_id.as_str()
        };
        let of_account = self.cloud.stripe.customers().into_iter().find(is_of);
        of_account.expect("a customer")
    }

    /// Changes the plan, and lets the events of it come.
    pub(crate) async fn change(&self, plan: &str, customer: &Customer) -> Response {
        let answer = self.post("/v1/billing/plan", &json!({ "plan": plan }), customer).await;
        self.cloud.settle().await;
        answer
    }

    /// What `GET /v1/billing` answers.
    pub(crate) async fn billing(&self, customer: &Customer) -> Value {
        let answer = self.get("/v1/billing", customer).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Lets time pass for Stripe too, each of its events being heard of at its own time. No job runs.
    pub(crate) async fn pass(&self, duration: Duration) {
        let (clock, stripe) = (&self.cloud.clock, &self.cloud.stripe);
        let until = clock.now() + duration;
        while let Some(due) = stripe.next_due().filter(|due| *due <= until) {
            clock.set(due.max(clock.now()));
            stripe.run_due(clock.now());
            self.cloud.settle().await;
        }
        clock.set(until);
    }

    /// Buys, changes, lists: everything that customers can do about billing.
    pub(crate) async fn use_billing(&self) {
        self.sell().await;
        let client = self.cloud.client();
        assert_eq!(self.send(client.get("/v1/plans")).await.status, 200);
        assert_eq!(self.send(client.get("/billing/done")).await.status, 200);
        let dana = self.customer("dana@example.com").await;
        let id = self.buy("pro", &dana, Card::Good).await;
        let portal = self.post("/v1/billing/portal", &json!({}), &dana).await;
        assert_eq!(portal.status, 201, "{}", portal.text());
        assert_eq!(self.billing(&dana).await["plan"], "pro");
        let list = self.get("/v1/billing/invoices", &dana).await.json();
        let invoice = list["invoices"][0]["id"].as_str().expect("an id").to_owned();
        let one = self.get(&format!("/v1/billing/invoices/{invoice}"), &dana).await;
        assert_eq!(one.status, 200, "{}", one.text());
        assert_eq!(self.change("basic", &dana).await.status, 200);
        // A new invoice, and a payment that was overdue until just now: all of it is found by the change.
        self.cloud.stripe.set_card(&id, Card::FailsLater).expect("set");
        self.pass(Duration::days(32)).await;
        assert_eq!(self.billing(&dana).await["subscription"]["status"], "past_due");
        self.cloud.stripe.set_webhooks(local::standins::stripe::Webhooks::default());
        self.cloud.stripe.set_card(&id, Card::Good).expect("set");
        self.wait(Duration::days(8));
        self.cloud.stripe.run_due(self.cloud.clock.now());
        let raised = self.change("business", &dana).await;
        assert_eq!(raised.status, 200, "{}", raised.text());
    }
}
