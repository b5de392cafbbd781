//! The program of `billing-page`.

fn main() -> vidintel::program::Ended {
    functions_web::billing_page::main()
}
