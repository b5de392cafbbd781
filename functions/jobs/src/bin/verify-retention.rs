//! The program of `verify-retention`.

fn main() -> vidintel::program::Ended {
    functions_jobs::verify_retention::main()
}
