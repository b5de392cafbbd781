//! The program of `purge-exports`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_exports::main()
}
