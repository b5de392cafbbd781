//! The program of `list-refunds`.

fn main() -> vidintel::program::Ended {
    functions_billing::list_refunds::main()
}
