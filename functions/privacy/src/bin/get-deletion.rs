//! The program of `get-deletion`.

fn main() -> vidintel::program::Ended {
    functions_privacy::get_deletion::main()
}
