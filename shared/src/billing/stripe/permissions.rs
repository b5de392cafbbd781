//! Whether the secret's key may do at Stripe what the service does there: some of it only months after it was
//! promised.

use stripe::{ApiErrorsCode, RequestStrategy, StripeError};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{Stripe, failed};
use crate::error::Error;

/// A row of Stripe's page for restricted keys, what it has to be set to, and a request that takes that and
/// changes nothing, because there is no such object.
struct Row {
    name: &'static str,
    level: &'static str,
    method: StripeMethod,
    path: &'static str,
    form: &'static str,
}

const fn read(name: &'static str, path: &'static str) -> Row {
    Row { name, level: "Read", method: StripeMethod::Get, path, form: "" }
}

const fn write(name: &'static str, path: &'static str, form: &'static str) -> Row {
    Row { name, level: "Write", method: StripeMethod::Post, path, form }
}

const ROWS: &[Row] = &[
    read("Payment Intents", "/payment_intents/pi_NoneOfOurs"),
    read("Disputes", "/disputes/dp_NoneOfOurs"),
    read("Credit notes", "/credit_notes/cn_NoneOfOurs"),
    write("Charges and Refunds", "/refunds", "charge=ch_NoneOfOurs"),
    write("Customers", "/customers/cus_NoneOfOurs", "metadata[probe]=1"),
    write("Subscriptions", "/subscriptions/sub_NoneOfOurs", "cancel_at_period_end=true"),
    write("Invoices", "/invoices/in_NoneOfOurs/void", ""),
    write("Checkout Sessions", "/checkout/sessions/cs_NoneOfOurs/expire", ""),
    write("Customer portal", "/billing_portal/sessions", "customer=cus_NoneOfOurs"),
];

/// A preview, so the account too has to be let in.
const REDACTION: Row = write(
    "Redaction jobs",
    "/privacy/redaction_jobs",
    "objects[customers][]=cus_NoneOfOurs&validation_behavior=fix",
);

impl Stripe {
    /// What the service needs and the key or the account may not do, in the words of Stripe's page. Products and
    /// prices are left out: whoever makes them will hear of it.
    pub async fn lacking(&self) -> Result<Vec<String>, Error> {
        let mut lacking = Vec::new();
        for row in ROWS.iter().chain([&REDACTION]) {
            let mut request = RequestBuilder::new(row.method, row.path);
            if !row.form.is_empty() {
                request.body = Some(row.form.to_owned());
            }
            let request = request.customize::<miniserde::json::Value>();
            let request = request.request_strategy(RequestStrategy::Once);
            let is_preview = row.name == REDACTION.name;
            let answer = match is_preview {
                true => request.send(&self.preview).await,
                false => request.send(&self.client).await,
            };
            match answer {
                Ok(_) => {}
                Err(StripeError::Stripe(error, 403)) => {
                    tracing::warn!(message = ?error.message, "Stripe refuses what the service needs");
                    lacking.push(format!("{}: {}", row.name, row.level));
                }
                // The address itself is unknown to an account without the preview.
                Err(StripeError::Stripe(error, 404))
                    if is_preview && error.code != Some(ApiErrorsCode::ResourceMissing) =>
                {
                    lacking.push(format!("{} (a preview): not open to this account", row.name));
                }
                Err(StripeError::Stripe(_, 400 | 404)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(lacking)
    }
}
