//! The program of `verify-account`.

fn main() -> vidintel::program::Ended {
    functions_account::verify_account::main()
}
