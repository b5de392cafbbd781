//! The program of `purge-audit`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_audit::main()
}
