//! The program of `recover-account`.

fn main() -> vidintel::program::Ended {
    functions_account::recover_account::main()
}
