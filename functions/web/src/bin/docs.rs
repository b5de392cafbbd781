//! The program of `docs`.

fn main() -> vidintel::program::Ended {
    functions_web::docs::main()
}
