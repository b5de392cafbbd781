//! The program of `process-billing-events`.

fn main() -> vidintel::program::Ended {
    functions_billing::process_billing_events::main()
}
