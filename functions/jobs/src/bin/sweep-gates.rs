//! The program of `sweep-gates`.

fn main() -> vidintel::program::Ended {
    functions_jobs::sweep_gates::main()
}
