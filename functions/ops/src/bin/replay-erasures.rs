//! The program of `replay-erasures`.

fn main() -> vidintel::program::Ended {
    functions_ops::replay_erasures::main()
}
