//! The program of `purge-billing-records`.

fn main() -> vidintel::program::Ended {
    functions_jobs::purge_billing_records::main()
}
