//! The inventory: every category of personal data, declared once.
//!
//! From here come the expiry of each written item, the retention jobs, and the tests that hold
//! `template.yaml`, the tables and the Redis keys against what the privacy policy promises. No period
//! is written anywhere else. To store something new, declare it here first: tests fail until it is.
//! Categories whose feature is still to come are declared with their place already.

mod access_data;
mod account_data;
mod field;
mod other_data;
mod period;
mod table;
mod temporary_data;

use std::sync::LazyLock;

pub use self::{
    access_data::{MAIL_COUNTS, MAILBOX_COUNTS, NETWORK_COUNTS, RECOVERIES, SIGN_UPS},
    account_data::{
        ACCOUNTS, API_KEYS, API_LOGS, BILLING_RECORDS, BILLING_TASKS, CONSENTS, QUOTAS,
        SUPPORT_MESSAGES, USAGE_STATISTICS,
    },
    field::{ENDS, Export, Field, Kind, PLAN},
    other_data::{
        AUDIT, BILLING_EVENTS, DELETIONS, EXPORT_FILES, EXPORTS, LATE_ACTS, MAIL_STOPS,
        NEW_OBJECTIONS, OBJECTIONS, PRIVACY_REQUESTS, SUPPRESSIONS, WEBHOOK_EVENTS,
    },
    period::{Expiry, Keep, SPREAD, expires_on},
    table::{RetentionJob, Table},
};

/// Recipients, by who they are and what for: a copy of somebody's data names them, not kinds of them.
const HOSTING: &str = "Amazon Web Services (cloud hosting)";
const EMAIL: &str = "Amazon SES (e-mail service)";
/// Has data of an account only once something was bought.
pub const PAYMENT: &str = "Stripe (payment processor)";
/// Who asks for a video gets what is public of it and of who made it.
const CUSTOMERS: &str = "customers of this API";

const FROM_YOU: &str = "from you";
const MADE: &str = "made by us when you ask for it";
const OBSERVED: &str = "from your requests, as they arrive";
const DERIVED: &str = "derived from the other categories";
const FROM_CREATORS: &str = "from the creator, or whoever writes for them";
const FROM_MAIL: &str = "from the mail service";
const FROM_PAYMENT: &str = "from the payment processor";
const TIKTOK: &str = "from TikTok's interfaces";
const SERVICE: &str = "from the service's own work";

/// Where a category lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A table.
    Table(Table),
    /// Redis keys of this pattern (`*` stands for any characters).
    Redis(&'static str),
    /// The functions' log groups.
    FunctionLogs,
    /// The tables' continuous backups (point-in-time recovery).
    Backups,
    /// Queues of this name pattern, and what could not be handled of them.
    Queue(&'static str),
    /// Messages handed to the mail service.
    Mail,
    /// Files in the bucket of exports.
    ExportFiles,
}

/// GDPR Art. 6(1); privacy policy §9.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegalBasis {
    /// (b): to provide the service that was asked for.
    Contract,
    /// (f): to improve the service and prevent fraud.
    LegitimateInterest,
    /// (a): marketing.
    Consent,
    /// (c): to comply with laws.
    LegalObligation,
}

/// What an erasure does to a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Removed at once.
    Delete,
    /// Runs out by itself, soon.
    Expires,
    /// Kept for the stated reason until its period ends.
    Keep(&'static str),
    /// Holds nothing personal.
    NotPersonal,
}

/// Classes of cookies; privacy policy §11.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieClass {
    /// The service does not work without it.
    Essential,
    /// Remembers a choice.
    Preference,
    /// Only with consent.
    Analytics,
}

/// Every category.
pub static CATEGORIES: LazyLock<Vec<&'static Category>> = LazyLock::new(|| {
    [account_data::ALL, access_data::ALL, other_data::ALL, temporary_data::ALL].concat()
});

/// One category of data.
#[derive(Debug)]
pub struct Category {
    /// Stable name.
    pub id: &'static str,
    /// What it is, for a person to read.
    pub description: &'static str,
    /// Every attribute or field that is stored.
    pub fields: &'static [&'static str],
    /// Where it lives.
    pub place: Place,
    /// What it is for; privacy policy §2.
    pub purpose: &'static str,
    /// Why it may be kept.
    pub legal_basis: LegalBasis,
    /// Where it comes from; GDPR Art. 15(1)(g).
    pub source: &'static str,
    /// Who else receives it; privacy policy §4.1.
    pub recipients: &'static [&'static str],
    /// How long, from the instant that each item carries.
    pub keep: Keep,
    /// What an export hands over.
    pub export: Export,
    /// What an erasure does to it.
    pub erasure: Erasure,
    /// Its CCPA categories; privacy policy §10.2. None: it is not about a person.
    pub ccpa: &'static [&'static str],
    /// The class of the cookie that carries it, if one does; privacy policy §11.1.
    pub cookie: Option<CookieClass>,
}

impl Category {
    /// Whether a person is told of it, in a copy of their data or when it is deleted.
    pub fn is_told(&self) -> bool {
        // A backup is of everything; the law's categories are named with what it is of.
        !self.ccpa.is_empty() || self.place == Place::Backups
    }

    /// When an item whose period starts at `from` expires. `spread` (an id) shares the items of one
    /// day out over several partitions of the `by-expiry` index.
    pub fn expiry(&self, from: time::OffsetDateTime, spread: &str) -> Expiry {
        Expiry::new(self.keep.until(from), spread)
    }
}

/// Point-in-time recovery window of every table, in days; privacy policy §3.1.
pub const BACKUP_DAYS: i64 = 30;

/// Retention of every function's log group in days. The promise for logs is 30 days and CloudWatch
/// may take 72 hours longer than it is told; function logs hold nothing personal besides.
pub const FUNCTION_LOG_DAYS: i64 = 14;

/// Longest life of a Redis key in seconds; privacy policy §3.1.
pub const CACHE_SECONDS: i64 = 3600;

/// How long the token of a creator's objection is valid, in hours: the policy says nothing of it. Three
/// days bridge a weekend and leave time to change a profile.
pub const OBJECTION_HOURS: i64 = 72;

/// How long a mailed token for getting back into an account is valid, in hours: long enough for a mail that
/// is held up, and for whoever reads it in the evening.
pub const RECOVERY_HOURS: i64 = 6;

/// The category that declares the Redis key `key`, if any does.
pub fn declares_redis_key(key: &str) -> Option<&'static Category> {
    CATEGORIES.iter().copied().find(|category| match category.place {
        Place::Redis(pattern) => matches(pattern, key),
        _ => false,
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| matches(tail, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_declared_and_names_are_unique() {
        for table in Table::ALL {
            assert!(CATEGORIES.iter().any(|it| it.place == Place::Table(table)), "{table:?}");
        }
        let mut ids: Vec<_> = CATEGORIES.iter().map(|it| it.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CATEGORIES.len());
    }

    #[test]
    fn an_export_takes_every_stored_field_but_what_only_the_service_needs() {
        for category in CATEGORIES.iter() {
            let Export::Items { fields, internal } = category.export else { continue };
            let root = |name: &'static str| name.split('.').next().unwrap_or_default();
            for stored in category.fields {
                let is_exported = fields.iter().any(|it| it.name == *stored);
                let is_internal = internal.contains(stored) || ENDS.contains(stored);
                assert!(is_exported != is_internal, "{} of {}", stored, category.id);
            }
            for name in fields.iter().map(|it| it.name).chain(internal.iter().copied()) {
                assert!(category.fields.contains(&root(name)), "{} of {}", name, category.id);
            }
            assert!(fields.iter().all(|it| !it.about.is_empty()), "{}", category.id);
        }
    }

    #[test]
    fn what_a_law_wants_kept_is_not_deleted_before() {
        let from = time::macros::datetime!(2028-02-29 12:00 UTC);
        let ends = BILLING_RECORDS.keep.until(from).expect("an end");
        let job = Table::BillingRecords.retention_job().expect("a job");
        // The last run that leaves it there deletes what comes due before the next one.
        assert!(ends - job.every >= time::macros::datetime!(2035-02-28 12:00 UTC));
    }

    #[test]
    fn redis_keys_are_known_by_their_pattern() {
        let id = |key| declares_redis_key(key).map(|it| it.id);
        assert_eq!(id("{4kPq9ZtR2mWx}:g"), Some("gate"));
        assert_eq!(id("{4kPq9ZtR2mWx}:w:live"), Some("minutes"));
        assert_eq!(id("log:3"), Some("log-stream"));
        assert_eq!(id("log"), None);
    }
}
