//! The program of `purge-quotas`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_quotas::main()
}
