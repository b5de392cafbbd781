//! The program of `health`.

fn main() -> vidintel::program::Ended {
    functions_web::health::main()
}
