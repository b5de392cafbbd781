//! The program of `work-billing`.

fn main() -> vidintel::program::Ended {
    functions_jobs::work_billing::main()
}
