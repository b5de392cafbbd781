//! The program of `find-video`.

fn main() -> vidintel::program::Ended {
    functions_video::find_video::main()
}
