//! The program of `set-account-status`.

fn main() -> vidintel::program::Ended {
    functions_ops::set_account_status::main()
}
