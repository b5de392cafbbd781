//! The program of `prepare-billing`.

fn main() -> vidintel::program::Ended {
    functions_ops::prepare_billing::main()
}
