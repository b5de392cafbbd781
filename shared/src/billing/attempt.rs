//! What makes a customer's change one change, however often it is sent.

use crate::{error::InputError, http::Call, secrets::Pepper};

/// One wish of a customer: named by the caller's `Idempotency-Key`, else by the request itself.
pub struct Attempt {
    name: String,
    /// Whether the caller may send it again, under the same name.
    pub is_named: bool,
    /// When it is made (epoch seconds).
    pub at: i64,
}

impl Attempt {
    /// What the request is an attempt of.
    pub fn of(call: &Call) -> Result<Self, InputError> {
        let at = call.now().unix_timestamp();
        Ok(match call.idempotency_key()? {
            Some(key) => Self { name: format!("key {key}"), is_named: true, at },
            None => Self { name: format!("request {}", call.request_id()), is_named: false, at },
        })
    }

    /// A name for Stripe of doing this to `target`: the caller's own may say anything, and stays here.
    pub(super) fn hash(&self, pepper: &Pepper, target: &str) -> String {
        pepper.hash("stripe idempotency", &format!("{target}\0{}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_told_apart_by_name_target_and_kind_of_name() {
        let pepper = Pepper::new(1, [7; 32]);
        let attempt = |name: &str| Attempt { name: name.to_owned(), is_named: true, at: 0 };
        let hash = attempt("key a").hash(&pepper, "acc_1");
        assert_eq!(attempt("key a").hash(&pepper, "acc_1"), hash);
        assert!(!hash.contains("key a"));
        for other in [("key b", "acc_1"), ("request a", "acc_1"), ("key a", "acc_2")] {
            assert_ne!(attempt(other.0).hash(&pepper, other.1), hash, "{other:?}");
        }
    }
}
