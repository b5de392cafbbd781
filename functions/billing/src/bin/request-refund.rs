//! The program of `request-refund`.

fn main() -> vidintel::program::Ended {
    functions_billing::request_refund::main()
}
