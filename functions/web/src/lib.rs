//! The documentation, the pages and the state of the service: each module is one Lambda, whose program is that of `src/bin/`.

pub mod billing_page;
pub mod docs;
pub mod export_schema;
pub mod get_policy;
pub mod health;
pub mod openapi;
pub mod problem;
pub mod site;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("billing-page", billing_page::main),
    ("docs", docs::main),
    ("export-schema", export_schema::main),
    ("get-policy", get_policy::main),
    ("health", health::main),
    ("openapi", openapi::main),
    ("problem", problem::main),
    ("site", site::main),
];
