//! The program of `open-portal`.

fn main() -> vidintel::program::Ended {
    functions_billing::open_portal::main()
}
