use time::Duration;

/// The DynamoDB tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Accounts, and one marker per e-mail address that keeps it unique.
    Accounts,
    /// Live API keys, and a mark for each that was revoked.
    ApiKeys,
    /// Sign-ups that wait for their confirmation, mailed ways back in, and signed-in browsers.
    Sessions,
    /// Quota by account and period.
    Quotas,
    /// API request logs, packed by minute.
    ApiLogs,
    /// Usage statistics by account and day.
    UsageStats,
    /// Invoices, receipts, refunds.
    BillingRecords,
    /// What is to be done about an account's billing.
    BillingTasks,
    /// Stripe's events that have been handled.
    WebhookEvents,
    /// Support mail, feedback, survey answers.
    SupportMessages,
    /// Consents given and withdrawn.
    Consents,
    /// Requests under privacy law, and legal holds.
    PrivacyRequests,
    /// Hash chains of privacy-relevant acts.
    Audit,
    /// Who must be left out or left alone.
    Suppressions,
    /// Exports that can be fetched.
    Exports,
    /// The erasure ledger.
    Deletions,
    /// How far each scheduled job has come.
    Jobs,
}

/// A scheduled job that deletes what is due in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionJob {
    /// Its name: of its function, its metrics and its audit chain.
    pub name: &'static str,
    /// Time between two runs. A run deletes what would come due before the next one.
    pub every: Duration,
}

const fn hourly(name: &'static str) -> Option<RetentionJob> {
    Some(RetentionJob { name, every: Duration::hours(1) })
}

const fn daily(name: &'static str) -> Option<RetentionJob> {
    Some(RetentionJob { name, every: Duration::days(1) })
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 17] = [
        Self::Accounts,
        Self::ApiKeys,
        Self::Sessions,
        Self::Quotas,
        Self::ApiLogs,
        Self::UsageStats,
        Self::BillingRecords,
        Self::BillingTasks,
        Self::WebhookEvents,
        Self::SupportMessages,
        Self::Consents,
        Self::PrivacyRequests,
        Self::Audit,
        Self::Suppressions,
        Self::Exports,
        Self::Deletions,
        Self::Jobs,
    ];

    /// Name without the deployment's prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::ApiKeys => "api-keys",
            Self::Sessions => "sessions",
            Self::Quotas => "quotas",
            Self::ApiLogs => "api-logs",
            Self::UsageStats => "usage-stats",
            Self::BillingRecords => "billing-records",
            Self::BillingTasks => "billing-tasks",
            Self::WebhookEvents => "webhook-events",
            Self::SupportMessages => "support-messages",
            Self::Consents => "consents",
            Self::PrivacyRequests => "privacy-requests",
            Self::Audit => "audit",
            Self::Suppressions => "suppressions",
            Self::Exports => "exports",
            Self::Deletions => "deletions",
            Self::Jobs => "jobs",
        }
    }

    /// Attributes of its key.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Self::Accounts | Self::PrivacyRequests | Self::Exports | Self::Deletions => &["id"],
            Self::ApiKeys => &["account", "key_id"],
            Self::Sessions | Self::Suppressions => &["hash"],
            Self::Quotas => &["account", "period"],
            Self::ApiLogs => &["account_day", "pack"],
            Self::UsageStats => &["account", "day"],
            Self::BillingRecords => &["account", "record"],
            Self::BillingTasks => &["account", "task"],
            Self::WebhookEvents => &["id"],
            Self::SupportMessages => &["sender", "message"],
            Self::Consents => &["account", "consent"],
            Self::Audit => &["chain", "sequence"],
            Self::Jobs => &["name"],
        }
    }

    /// The job that deletes what is due; none where nothing expires. Such a table has the index
    /// `by-expiry`.
    pub fn retention_job(self) -> Option<RetentionJob> {
        match self {
            Self::Sessions => hourly("purge-sessions"),
            Self::ApiLogs => hourly("purge-api-logs"),
            Self::Exports => hourly("purge-exports"),
            Self::Quotas => daily("purge-quotas"),
            Self::UsageStats => daily("purge-usage-statistics"),
            Self::BillingRecords => daily("purge-billing-records"),
            Self::BillingTasks => daily("purge-billing-tasks"),
            Self::WebhookEvents => daily("purge-webhook-events"),
            Self::SupportMessages => daily("purge-support-messages"),
            Self::PrivacyRequests => daily("purge-privacy-requests"),
            Self::Audit => daily("purge-audit"),
            Self::Deletions => daily("purge-deletions"),
            Self::Accounts | Self::ApiKeys | Self::Consents | Self::Suppressions | Self::Jobs => {
                None
            }
        }
    }
}
