//! The program of `set-legal-hold`.

fn main() -> vidintel::program::Ended {
    functions_ops::set_legal_hold::main()
}
