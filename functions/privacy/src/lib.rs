//! Requests under privacy law, and objections of creators: each module is one Lambda, whose program is that of `src/bin/`.

pub mod cancel_deletion;
pub mod confirm_objection;
pub mod download_export;
pub mod get_deletion;
pub mod get_export;
pub mod get_objection;
pub mod list_privacy_requests;
pub mod request_deletion;
pub mod request_export;
pub mod request_objection;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("cancel-deletion", cancel_deletion::main),
    ("confirm-objection", confirm_objection::main),
    ("download-export", download_export::main),
    ("get-deletion", get_deletion::main),
    ("get-export", get_export::main),
    ("get-objection", get_objection::main),
    ("list-privacy-requests", list_privacy_requests::main),
    ("request-deletion", request_deletion::main),
    ("request-export", request_export::main),
    ("request-objection", request_objection::main),
];
