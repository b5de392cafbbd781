//! The program of `list-plans`.

fn main() -> vidintel::program::Ended {
    functions_billing::list_plans::main()
}
