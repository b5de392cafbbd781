//! The program of `site`.

fn main() -> vidintel::program::Ended {
    functions_web::site::main()
}
