//! The program of `reconcile-billing`.

fn main() -> vidintel::program::Ended {
    functions_jobs::reconcile_billing::main()
}
