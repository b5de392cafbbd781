//! The program of `cancel-deletion`.

fn main() -> vidintel::program::Ended {
    functions_privacy::cancel_deletion::main()
}
