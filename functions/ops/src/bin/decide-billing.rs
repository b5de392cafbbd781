//! The program of `decide-billing`.

fn main() -> vidintel::program::Ended {
    functions_ops::decide_billing::main()
}
