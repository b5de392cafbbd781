//! The program of `list-invoices`.

fn main() -> vidintel::program::Ended {
    functions_billing::list_invoices::main()
}
