//! The program of `search-videos`.

fn main() -> vidintel::program::Ended {
    functions_video::search_videos::main()
}
