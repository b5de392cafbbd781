//! Who called which AWS action on what: recorded, and refused where the template's policy does not
//! allow it, as IAM would.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::{Context, Result, bail};
use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;

/// Access key ids of function environments are this prefix and the function's logical id.
pub const FUNCTION_KEY_PREFIX: &str = "LOCAL";

/// The access key id of the operator (the harness, the command line): everything is allowed.
pub const OPERATOR_KEY: &str = "OPERATOR";

/// The access key id of the library where a test runs it without a function around it: everything is allowed,
/// and it meets what functions meet.
pub const LIBRARY_KEY: &str = "LIBRARY";

/// One permission of a function's policy, with every intrinsic function of the template resolved.
/// `*` matches any run of characters in both parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// For example `dynamodb:GetItem`.
    pub action: String,
    /// An ARN, for example `arn:aws:dynamodb:eu-west-1:000000000000:table/local-accounts`.
    pub resource: String,
    /// What must hold of a call besides: all of them.
    pub conditions: Vec<Condition>,
}

/// Facts about a call by condition key, for example `("ses:FromAddress", "no-reply@example.com")`.
pub type Facts<'a> = [(&'a str, &'a str)];

/// One line of a statement's `Condition`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    key: String,
    /// One of them must be met.
    values: Vec<String>,
    /// `StringLike`: `*` matches any run of characters.
    are_patterns: bool,
}

/// Condition keys that a stand-in tells the values of. With any other one a condition could not be evaluated.
const KEYS: [&str; 1] = ["ses:FromAddress"];

impl Condition {
    /// The lines of a statement's `Condition`. An operator or key that is not evaluated here is refused: to drop
    /// it would allow what IAM does not.
    pub fn all(node: &Value) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for (operator, lines) in node.as_object().context("a Condition is not a mapping")? {
            let are_patterns = match operator.as_str() {
                "StringEquals" => false,
                "StringLike" => true,
                _ => bail!("the condition operator {operator} is not known to the local cloud"),
            };
            for (key, values) in lines.as_object().context("a Condition names no keys")? {
                if !KEYS.contains(&key.as_str()) {
                    bail!("the condition key {key} is not known to the local cloud");
                }
                let values = match values {
                    Value::Array(all) => all.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let text = |it: &Value| it.as_str().map(str::to_owned);
                let values = values.iter().map(text).collect::<Option<_>>();
                let values = values.with_context(|| format!("{key} is compared with no text"))?;
                all.push(Self { key: key.clone(), values, are_patterns });
            }
        }
        Ok(all)
    }

    /// A call that says nothing of the key does not meet it.
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let is_met = |fact: &str| {
            self.values.iter().any(|it| match self.are_patterns {
                true => matches(it, fact),
                false => it == fact,
            })
        };
        facts.iter().any(|(key, fact)| *key == self.key && is_met(fact))
    }
}

/// One call, or kind of call, as it was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Logical id of the function, or [`OPERATOR_KEY`].
    pub caller: String,
    /// For example `ses:SendEmail`.
    pub action: String,
    /// ARN of what it was called on.
    pub resource: String,
}

/// The refusal, worded as AWS words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(pub String);

/// The gatekeeper that all stand-ins share. Clones share one record.
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    permissions: BTreeMap<String, Vec<Permission>>,
    kinds: BTreeSet<Call>,
    counts: BTreeMap<String, u64>,
}

impl Access {
    /// Sets what `function` (a logical id) may do.
    pub fn permit(&self, function: &str, permissions: Vec<Permission>) {
        self.state().permissions.insert(function.to_owned(), permissions);
    }

    /// Records the call and says whether the caller's policy allows it. The caller is read from the
    /// request's Signature Version 4 credential.
    pub fn check(&self, headers: &HeaderMap, action: &str, resource: &str) -> Result<(), Denied> {
        self.check_with(headers, action, resource, &[])
    }

    /// As [`Access::check`], of a call of which policies may ask these `facts`.
    pub fn check_with(
        &self,
        headers: &HeaderMap,
        action: &str,
        resource: &str,
        facts: &Facts<'_>,
    ) -> Result<(), Denied> {
        let Some(key) = access_key(headers) else {
            return Err(Denied("Missing Authentication Token".to_owned()));
        };
        self.decide(key, action, resource, facts)
    }

    /// As [`Access::check`], where the caller's access key id has been read already.
    pub fn check_key(&self, key: &str, action: &str, resource: &str) -> Result<(), Denied> {
        self.decide(key, action, resource, &[])
    }

    fn decide(
        &self,
        key: &str,
        action: &str,
        resource: &str,
        facts: &Facts<'_>,
    ) -> Result<(), Denied> {
        let mut state = self.state();
        let (caller, allowed) = match key.strip_prefix(FUNCTION_KEY_PREFIX) {
            Some(function) => {
                let permissions = state.permissions.get(function).map_or(&[][..], Vec::as_slice);
                let allowed = permissions.iter().any(|it| {
                    matches(&it.action, action)
                        && matches(&it.resource, resource)
                        && it.conditions.iter().all(|it| it.holds(facts))
                });
                (function.to_owned(), allowed)
            }
            None => (key.to_owned(), [OPERATOR_KEY, LIBRARY_KEY].contains(&key)),
        };
        *state.counts.entry(caller.clone()).or_default() += 1;
        let denied = (!allowed).then(|| {
            Denied(format!(
                "User: {caller} is not authorized to perform: {action} on resource: {resource} \
                 because no identity-based policy allows the {action} action"
            ))
        });
        state.kinds.insert(Call {
            caller,
            action: action.to_owned(),
            resource: resource.to_owned(),
        });
        denied.map_or(Ok(()), Err)
    }

    /// Every distinct call seen so far, denied ones too.
    pub fn calls(&self) -> BTreeSet<Call> {
        self.state().kinds.clone()
    }

    /// How many calls `caller` has made since the start.
    pub fn count(&self, caller: &str) -> u64 {
        self.state().counts.get(caller).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The access key id in `Authorization: AWS4-HMAC-SHA256 Credential=<id>/…`.
pub fn access_key(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    value.split_once("Credential=")?.1.split('/').next()
}

/// IAM's wildcard match, `*` only.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| matches(tail, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_by(key: &str) -> HeaderMap {
        let value =
            format!("AWS4-HMAC-SHA256 Credential={key}/20261124/eu-west-1/ses/aws4_request");
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a header value"))])
    }

    #[test]
    fn only_what_the_policy_names_is_allowed() {
        let access = Access::default();
        access.permit(
            "SignUp",
            vec![Permission {
                action: "dynamodb:Query".to_owned(),
                resource: "arn:t/keys/index/*".to_owned(),
                conditions: Vec::new(),
            }],
        );
        let headers = signed_by("LOCALSignUp");
        assert!(access.check(&headers, "dynamodb:Query", "arn:t/keys/index/by-account").is_ok());
        assert!(access.check(&headers, "dynamodb:Query", "arn:t/keys").is_err());
        assert!(access.check(&headers, "dynamodb:Scan", "arn:t/keys/index/by-account").is_err());
        assert!(access.check(&HeaderMap::new(), "dynamodb:Scan", "arn:t").is_err());
        assert!(access.check(&signed_by(OPERATOR_KEY), "dynamodb:Scan", "arn:t").is_ok());
        assert_eq!(access.count("SignUp"), 3);
    }

    #[test]
    fn a_condition_is_met_by_the_call_that_says_so() {
        let access = Access::default();
        let parse = |text: &str| Condition::all(&serde_json::from_str(text).expect("JSON"));
        let permission = |condition: &str| Permission {
            action: "ses:SendEmail".to_owned(),
            resource: "arn:ses:*".to_owned(),
            conditions: parse(condition).expect("known"),
        };
        let headers = signed_by("LOCALSignUp");
        for (condition, from, is_allowed) in [
            (r#"{"StringEquals":{"ses:FromAddress":"a@example.com"}}"#, "a@example.com", true),
            (r#"{"StringEquals":{"ses:FromAddress":["b@x.io","a@x.io"]}}"#, "a@x.io", true),
            (r#"{"StringEquals":{"ses:FromAddress":"a@example.com"}}"#, "b@example.com", false),
            (r#"{"StringEquals":{"ses:FromAddress":"*@example.com"}}"#, "b@example.com", false),
            (r#"{"StringLike":{"ses:FromAddress":"*@example.com"}}"#, "b@example.com", true),
        ] {
            access.permit("SignUp", vec![permission(condition)]);
            let facts = [("ses:FromAddress", from)];
            let checked = access.check_with(&headers, "ses:SendEmail", "arn:ses:x", &facts);
            assert_eq!(checked.is_ok(), is_allowed, "{condition} {from}");
            assert!(access.check(&headers, "ses:SendEmail", "arn:ses:x").is_err(), "{condition}");
        }
        for unknown in [
            r#"{"StringNotEquals":{"ses:FromAddress":"a@example.com"}}"#,
            r#"{"StringEquals":{"ses:Recipients":"a@example.com"}}"#,
            r#"{"StringEquals":{"ses:FromAddress":7}}"#,
            r#"{"StringEquals":"a"}"#,
            "[]",
        ] {
            assert!(parse(unknown).is_err(), "{unknown}");
        }
    }
}
