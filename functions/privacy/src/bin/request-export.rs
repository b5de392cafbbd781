//! The program of `request-export`.

fn main() -> vidintel::program::Ended {
    functions_privacy::request_export::main()
}
