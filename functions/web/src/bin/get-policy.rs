//! The program of `get-policy`.

fn main() -> vidintel::program::Ended {
    functions_web::get_policy::main()
}
