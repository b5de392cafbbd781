//! What the operator starts: each module is one Lambda, whose program is that of `src/bin/`.

pub mod decide_billing;
pub mod decide_objection;
pub mod prepare_billing;
pub mod replay_erasures;
pub mod set_account_status;
pub mod set_legal_hold;

use vidintel::program::Program;

/// Each function: its name and its program.
pub const FUNCTIONS: &[(&str, Program)] = &[
    ("decide-billing", decide_billing::main),
    ("decide-objection", decide_objection::main),
    ("prepare-billing", prepare_billing::main),
    ("replay-erasures", replay_erasures::main),
    ("set-account-status", set_account_status::main),
    ("set-legal-hold", set_legal_hold::main),
];
