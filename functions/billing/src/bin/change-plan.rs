//! The program of `change-plan`.

fn main() -> vidintel::program::Ended {
    functions_billing::change_plan::main()
}
