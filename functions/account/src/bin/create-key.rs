//! The program of `create-key`.

fn main() -> vidintel::program::Ended {
    functions_account::create_key::main()
}
