//! The program of `purge-sessions`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_sessions::main()
}
