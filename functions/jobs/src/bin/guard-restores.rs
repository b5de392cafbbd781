//! The program of `guard-restores`.

fn main() -> vidintel::program::Ended {
    functions_jobs::guard_restores::main()
}
