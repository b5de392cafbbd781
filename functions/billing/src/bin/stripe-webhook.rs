//! The program of `stripe-webhook`.

fn main() -> vidintel::program::Ended {
    functions_billing::stripe_webhook::main()
}
