//! The program of `revoke-key`.

fn main() -> vidintel::program::Ended {
    functions_account::revoke_key::main()
}
