//! The program of `purge-api-logs`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_api_logs::main()
}
