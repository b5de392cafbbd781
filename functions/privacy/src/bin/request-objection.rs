//! The program of `request-objection`.

fn main() -> vidintel::program::Ended {
    functions_privacy::request_objection::main()
}
