//! The program of `confirm-objection`.

fn main() -> vidintel::program::Ended {
    functions_privacy::confirm_objection::main()
}
