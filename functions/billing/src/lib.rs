//! Plans, payments, invoices and refunds: each module is one Lambda, whose program is that of `src/bin/`.

pub mod change_plan;
pub mod get_billing;
pub mod get_invoice;
pub mod list_invoices;
pub mod list_plans;
pub mod list_refunds;
pub mod open_portal;
pub mod process_billing_events;
pub mod request_refund;
pub mod start_checkout;
pub mod stripe_webhook;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("change-plan", change_plan::main),
    ("get-billing", get_billing::main),
    ("get-invoice", get_invoice::main),
    ("list-invoices", list_invoices::main),
    ("list-plans", list_plans::main),
    ("list-refunds", list_refunds::main),
    ("open-portal", open_portal::main),
    ("process-billing-events", process_billing_events::main),
    ("request-refund", request_refund::main),
    ("start-checkout", start_checkout::main),
    ("stripe-webhook", stripe_webhook::main),
];
