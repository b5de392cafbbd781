//! The program of `purge-billing-tasks`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_billing_tasks::main()
}
