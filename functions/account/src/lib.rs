//! Signing up, and the keys of an account: each module is one Lambda, whose program is that of `src/bin/`.

pub mod create_key;
pub mod get_usage;
pub mod list_keys;
pub mod recover_account;
pub mod revoke_key;
pub mod sign_up;
pub mod verify_account;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("create-key", create_key::main),
    ("get-usage", get_usage::main),
    ("list-keys", list_keys::main),
    ("recover-account", recover_account::main),
    ("revoke-key", revoke_key::main),
    ("sign-up", sign_up::main),
    ("verify-account", verify_account::main),
];
