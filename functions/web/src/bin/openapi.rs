//! The program of `openapi`.

fn main() -> vidintel::program::Ended {
    functions_web::openapi::main()
}
