//! The program of `start-checkout`.

fn main() -> vidintel::program::Ended {
    functions_billing::start_checkout::main()
}
