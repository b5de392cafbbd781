//! The program of `get-objection`.

fn main() -> vidintel::program::Ended {
    functions_privacy::get_objection::main()
}
