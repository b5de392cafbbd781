//! The program of `list-keys`.

fn main() -> vidintel::program::Ended {
    functions_account::list_keys::main()
}
