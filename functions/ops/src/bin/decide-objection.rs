//! The program of `decide-objection`.

fn main() -> vidintel::program::Ended {
    functions_ops::decide_objection::main()
}
