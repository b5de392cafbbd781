//! How often the API was asked, and what is wrong with it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::pending,
    time::{Duration, Instant},
};

use http::Method;
use serde_json::Value;

use super::{Stripe, refusal::Refusal};

/// What is wrong with the API at the moment. The pages and the webhooks are well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Too many requests.
    RateLimited,
    /// Every call fails inside the service, before anything is done.
    Down,
    /// The right answer, after this time.
    Slow(Duration),
    /// No answer, ever, and nothing done.
    Hang,
    /// Some calls of one interface fail inside the service, before anything is done.
    DownOnce {
        /// As [`Stripe::counts`] names it.
        interface: &'static str,
        /// So many of its calls since the start go well…
        after: u64,
        /// …then so many fail.
        times: u64,
    },
    /// Some calls of one interface fail inside the service. Nothing is done, and the failure is the answer to
    /// their idempotency keys for a day, as any answer of a handler's is.
    DownInside {
        /// As [`Stripe::counts`] names it.
        interface: &'static str,
        /// So many of its calls since the start go well…
        after: u64,
        /// …then so many fail.
        times: u64,
    },
    /// Some calls of one interface are done, and no answer to them ever comes.
    Mute {
        /// As [`Stripe::counts`] names it.
        interface: &'static str,
        /// So many of its calls since the start go well…
        after: u64,
        /// …then so many are not answered.
        times: u64,
    },
    /// Some calls of one interface are done later than the others.
    Late {
        /// As [`Stripe::counts`] names it.
        interface: &'static str,
        /// So many of its calls since the start are done at once…
        after: u64,
        /// …then so many are late…
        times: u64,
        /// …by this time.
        by: Duration,
    },
    /// Of a thousand calls, about so many are refused before anything is done.
    Random {
        /// What decides which.
        seed: u64,
        /// As too many.
        per_mille_429: u32,
        /// As failed inside the service.
        per_mille_500: u32,
    },
}

/// How a call that is let in goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// As it should.
    Well,
    /// It fails inside the service, and that is remembered.
    FailsInside,
    /// It is done and not answered.
    Mute,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Fault,
    random: Random,
    counts: BTreeMap<String, u64>,
    /// Calls of one interface that are taken within a second of real time, if there is a limit.
    per_second: Option<usize>,
    /// When each interface was asked within the last second.
    recent: BTreeMap<String, VecDeque<Instant>>,
    /// Calls that were refused for the limit.
    limited: u64,
    /// Permissions that the restricted key lacks.
    lacking: BTreeSet<String>,
    /// Whether the account is not let in to what is a preview.
    has_no_previews: bool,
    /// Fields that are left out of answers: the object's name, the field's.
    omitted: Vec<(String, String)>,
}

impl Faults {
    /// Whether one more call of the interface is within the limit now.
    fn is_within_rate(&mut self, name: &str) -> bool {
        let Some(most) = self.per_second else { return true };
        let now = Instant::now();
        let recent = self.recent.entry(name.to_owned()).or_default();
        while recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        if recent.len() >= most {
            self.limited += 1;
            return false;
        }
        recent.push_back(now);
        true
    }
}

/// A small generator (`SplitMix64`) that can be begun again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end.max(1)
    }
}

impl Stripe {
    /// Sets what is wrong with the API until it is set again.
    pub fn fault(&self, fault: Fault) {
        let mut faults = self.faults();
        faults.fault = fault;
        if let Fault::Random { seed, .. } = fault {
            faults.random = Random(seed);
        }
    }

    /// How often each interface was asked since the start, by method and pattern of the path, for
    /// example `GET /v1/customers/{id}`.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.faults().counts.clone()
    }

    /// Takes at most so many calls of each interface within a second of real time, as the real one does (25,
    /// docs.stripe.com/rate-limits). Off at first: here an answer takes a hundredth of the real one's time, so
    /// that a limit says something only together with [`Fault::Slow`].
    pub fn limit_rate(&self, per_second: Option<usize>) {
        self.faults().per_second = per_second;
    }

    /// How many calls were refused for that limit.
    pub fn limited(&self) -> u64 {
        self.faults().limited
    }

    /// Takes these permissions off the restricted key: `rak_charge_write`, for example.
    pub fn forbid(&self, permissions: &[&str]) {
        self.faults().lacking = permissions.iter().map(|it| (*it).to_owned()).collect();
    }

    /// Lets the account in to what is a preview, or not.
    pub fn open_previews(&self, is_open: bool) {
        self.faults().has_no_previews = !is_open;
    }

    /// Whether the account has no previews.
    pub(super) fn has_no_previews(&self) -> bool {
        self.faults().has_no_previews
    }

    /// The permission that a call takes and the key lacks.
    pub(super) fn lacks(&self, method: &Method, pattern: &str) -> Option<String> {
        let needed = permission(method, pattern);
        self.faults().lacking.contains(&needed).then_some(needed)
    }

    /// Leaves `field` out of every `object` (its `object` says so: `invoice`, `charge`) in answers.
    pub fn omit(&self, object: &str, field: &str) {
        self.faults().omitted.push((object.to_owned(), field.to_owned()));
    }

    /// Shows again what [`Self::omit`] left out.
    pub fn omit_nothing(&self) {
        self.faults().omitted.clear();
    }

    /// What an answer's body shows, without what is left out.
    pub(super) fn shown(&self, mut body: Value) -> Value {
        let omitted = self.faults().omitted.clone();
        if !omitted.is_empty() {
            strip(&mut body, &omitted);
        }
        body
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts the call and applies limit and fault.
    pub(super) async fn enter(&self, name: String) -> Result<Course, Refusal> {
        let (fault, roll, count) = {
            let mut faults = self.faults();
            let count = faults.counts.entry(name.clone()).or_default();
            *count += 1;
            let count = *count;
            if !faults.is_within_rate(&name) {
                return Err(Refusal::rate_limited());
            }
            (faults.fault, faults.random.below(1_000), count)
        };
        let is_in = |after: u64, times: u64| (after + 1..=after + times).contains(&count);
        match fault {
            Fault::None => Ok(Course::Well),
            Fault::RateLimited => Err(Refusal::rate_limited()),
            Fault::Down => Err(Refusal::down()),
            Fault::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(Course::Well)
            }
            Fault::Hang => pending().await,
            Fault::DownOnce { interface, after, times }
                if interface == name && is_in(after, times) =>
            {
                Err(Refusal::down())
            }
            Fault::DownInside { interface, after, times }
                if interface == name && is_in(after, times) =>
            {
                Ok(Course::FailsInside)
            }
            Fault::Mute { interface, after, times } if interface == name && is_in(after, times) => {
                Ok(Course::Mute)
            }
            Fault::Late { interface, after, times, by }
                if interface == name && is_in(after, times) =>
            {
                tokio::time::sleep(by).await;
                Ok(Course::Well)
            }
            Fault::DownOnce { .. }
            | Fault::DownInside { .. }
            | Fault::Mute { .. }
            | Fault::Late { .. } => Ok(Course::Well),
            Fault::Random { per_mille_429, per_mille_500, .. } => {
                let (limited, down) = (u64::from(per_mille_429), u64::from(per_mille_500));
                if roll < limited {
                    Err(Refusal::rate_limited())
                } else if roll < limited + down {
                    Err(Refusal::down())
                } else {
                    Ok(Course::Well)
                }
            }
        }
    }
}

/// What a restricted key needs for a call. Refunds are part of charges, and prices still go by their older name.
fn permission(method: &Method, pattern: &str) -> String {
    let part = pattern.trim_start_matches("/v1/").split('/').next().unwrap_or_default();
    let name = match part {
        "charges" | "refunds" => "charge",
        "prices" => "plan",
        "checkout" => "checkout_session",
        "billing_portal" => "customer_portal",
        "privacy" => "redaction_job",
        plural => plural.trim_end_matches('s'),
    };
    let level = if *method == Method::GET { "read" } else { "write" };
    format!("rak_{name}_{level}")
}

fn strip(at: &mut Value, omitted: &[(String, String)]) {
    match at {
        Value::Object(fields) => {
            let name = fields.get("object").and_then(Value::as_str).map(str::to_owned);
            for (_, field) in omitted.iter().filter(|(object, _)| name.as_ref() == Some(object)) {
                fields.remove(field);
            }
            fields.values_mut().for_each(|it| strip(it, omitted));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| strip(it, omitted)),
        _ => {}
    }
}
