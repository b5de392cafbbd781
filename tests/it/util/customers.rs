//! Customers on other plans, with other keys, and many of them.

use local::http::Response;
use serde_json::{Value, json};
use vidintel::{accounts, ids::AccountId, plans::Plan};

use super::{Customer, World, app_of};

impl World {
    pub(crate) async fn post(&self, path: &str, body: &Value, customer: &Customer) -> Response {
        let client = self.cloud.client();
        self.send(client.post(path, body).key(&customer.key)).await
    }

    /// A new customer on the Business plan.
    pub(crate) async fn paying(&self, email: &str) -> Customer {
        let customer = self.customer(email).await;
        self.upgrade(&customer, Plan::Business).await;
        customer
    }

    /// Moves the customer to `plan`, and lets the gate know.
    pub(crate) async fn upgrade(&self, customer: &Customer, plan: Plan) {
        let update = json!({
            "TableName": self.cloud.dynamodb.table("accounts"),
            "Key": { "id": { "S": customer.account_id } },
            "UpdateExpression": "SET #plan = :plan ADD gate_version :one",
            "ExpressionAttributeNames": { "#plan": "plan" },
            "ExpressionAttributeValues": { ":plan": { "S": plan.name() }, ":one": { "N": "1" } },
        });
        self.cloud.dynamodb.call("UpdateItem", &update).await.expect("updated");
        let app = app_of(&self.cloud, self.cloud.redis.direct_url());
        let id: AccountId = customer.account_id.parse().expect("an account's id");
        let account = accounts::get(&app.store, &id).await.expect("read").expect("an account");
        app.gate.invalidate(&id, account.gate_version).await.expect("told");
    }

    /// `count` customers on `plan`, more than may sign up from one network within an hour.
    pub(crate) async fn crowd(&self, count: usize, plan: Plan) -> Vec<Customer> {
        let mut crowd = Vec::new();
        for n in 0..count {
            if n % 10 == 0 {
                self.forget_mails().await;
            }
            let customer = self.customer(&format!("customer-{n}@example.com")).await;
            self.upgrade(&customer, plan).await;
            crowd.push(customer);
        }
        crowd
    }

    /// Lets nothing be counted of the mails that were asked for within the hour.
    pub(crate) async fn forget_mails(&self) {
        let mut redis = self.cloud.redis.connection().await.expect("connected");
        for (key, _) in self.cloud.redis.keys().await.expect("the keys") {
            if key.starts_with("mails:") {
                redis::cmd("DEL").arg(key).exec_async(&mut redis).await.expect("deleted");
            }
        }
    }

    /// The same customer with a new key for the sandbox.
    pub(crate) async fn test_key(&self, customer: &Customer) -> Customer {
        let body = json!({ "name": "tests", "environment": "test" });
        let answer = self.post("/v1/keys", &body, customer).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let made = answer.json();
        let text = |name: &str| made[name].as_str().expect(name).to_owned();
        Customer { key: text("key"), key_id: text("id"), ..customer.clone() }
    }

    /// Requests that the customer was charged for in this period.
    pub(crate) async fn used(&self, customer: &Customer) -> u64 {
        let usage = self.get("/v1/usage", customer).await.json();
        usage["used"].as_u64().expect("a number")
    }
}
