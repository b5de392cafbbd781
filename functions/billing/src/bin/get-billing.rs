//! The program of `get-billing`.

fn main() -> vidintel::program::Ended {
    functions_billing::get_billing::main()
}
