//! What schedules and queues start: each module is one Lambda, whose program is that of `src/bin/`.

pub mod build_exports;
pub mod guard_restores;
pub mod process_deletions;
pub mod process_mail_events;
pub mod purge_api_logs;
pub mod purge_audit;
pub mod purge_billing_records;
pub mod purge_billing_tasks;
pub mod purge_deletions;
pub mod purge_exports;
pub mod purge_privacy_requests;
pub mod purge_quotas;
pub mod purge_sessions;
pub mod purge_support_messages;
pub mod purge_usage_statistics;
pub mod purge_webhook_events;
pub mod reconcile_billing;
pub mod roll_up_usage;
pub mod sweep_gates;
pub mod verify_retention;
pub mod watch_objections;
pub mod work_billing;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("build-exports", build_exports::main),
    ("guard-restores", guard_restores::main),
    ("process-deletions", process_deletions::main),
    ("process-mail-events", process_mail_events::main),
    ("purge-api-logs", purge_api_logs::main),
    ("purge-audit", purge_audit::main),
    ("purge-billing-records", purge_billing_records::main),
    ("purge-billing-tasks", purge_billing_tasks::main),
    ("purge-deletions", purge_deletions::main),
    ("purge-exports", purge_exports::main),
    ("purge-privacy-requests", purge_privacy_requests::main),
    ("purge-quotas", purge_quotas::main),
    ("purge-sessions", purge_sessions::main),
    ("purge-support-messages", purge_support_messages::main),
    ("purge-usage-statistics", purge_usage_statistics::main),
    ("purge-webhook-events", purge_webhook_events::main),
    ("reconcile-billing", reconcile_billing::main),
    ("roll-up-usage", roll_up_usage::main),
    ("sweep-gates", sweep_gates::main),
    ("verify-retention", verify_retention::main),
    ("watch-objections", watch_objections::main),
    ("work-billing", work_billing::main),
];
