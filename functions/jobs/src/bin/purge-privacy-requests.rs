//! The program of `purge-privacy-requests`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_privacy_requests::main()
}
