//! The program of `roll-up-usage`.

fn main() -> vidintel::program::Ended {
    functions_jobs::roll_up_usage::main()
}
