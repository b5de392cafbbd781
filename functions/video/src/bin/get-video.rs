//! The program of `get-video`.

fn main() -> vidintel::program::Ended {
    functions_video::get_video::main()
}
