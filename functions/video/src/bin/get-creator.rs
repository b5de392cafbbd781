//! The program of `get-creator`.

fn main() -> vidintel::program::Ended {
    functions_video::get_creator::main()
}
