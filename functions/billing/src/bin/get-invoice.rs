//! The program of `get-invoice`.

fn main() -> vidintel::program::Ended {
    functions_billing::get_invoice::main()
}
