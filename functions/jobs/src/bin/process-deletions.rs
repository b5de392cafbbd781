//! The program of `process-deletions`.

fn main() -> vidintel::program::Ended {
    functions_jobs::process_deletions::main()
}
