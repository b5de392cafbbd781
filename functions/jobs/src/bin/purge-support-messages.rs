//! The program of `purge-support-messages`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_support_messages::main()
}
