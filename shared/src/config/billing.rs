use super::{ConfigError, var};

/// Payment. Credentials come from the secret, never from the environment.
#[derive(Clone, Debug)]
pub struct BillingSettings {
    /// Another address for Stripe's API, with a final slash; unset, Stripe itself is asked.
    pub stripe_url: Option<String>,
    /// Whether Stripe computes taxes on what is bought. The operator switches that on at Stripe first.
    pub is_taxed: bool,
    /// Address of the queue in which Stripe's events wait; only the function that takes them in has it.
    pub events_queue_url: Option<String>,
}

impl BillingSettings {
    /// Reads `STRIPE_API_URL`, `STRIPE_TAX` and `BILLING_EVENTS_QUEUE_URL`.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            stripe_url: var("STRIPE_API_URL"),
            is_taxed: match var("STRIPE_TAX").as_deref() {
                None | Some("off") => false,
                Some("on") => true,
                Some(_) => {
                    let reason = "must be `on` or `off`".to_owned();
                    return Err(ConfigError::Invalid { name: "STRIPE_TAX", reason });
                }
            },
            events_queue_url: var("BILLING_EVENTS_QUEUE_URL"),
        })
    }
}
