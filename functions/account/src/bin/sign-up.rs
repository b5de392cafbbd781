//! The program of `sign-up`.

fn main() -> vidintel::program::Ended {
    functions_account::sign_up::main()
}
