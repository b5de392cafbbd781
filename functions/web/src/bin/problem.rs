//! The program of `problem`.

fn main() -> vidintel::program::Ended {
    functions_web::problem::main()
}
