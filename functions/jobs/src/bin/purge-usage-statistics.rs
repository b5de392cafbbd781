//! The program of `purge-usage-statistics`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_usage_statistics::main()
}
