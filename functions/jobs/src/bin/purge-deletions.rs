//! The program of `purge-deletions`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_deletions::main()
}
