//! The program of `request-deletion`.

fn main() -> vidintel::program::Ended {
    functions_privacy::request_deletion::main()
}
