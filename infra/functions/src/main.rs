//! Every function in one program, for the local cloud and the tests: it is linked once, where the functions' own
//! programs, which are deployed, are linked one by one.

use std::{env, ffi::OsStr, path::Path};

use vidintel::program::{Ended, Program};

const AREAS: [&[(&str, Program)]; 7] = [
    functions_account::FUNCTIONS,
    functions_billing::FUNCTIONS,
    functions_jobs::FUNCTIONS,
    functions_ops::FUNCTIONS,
    functions_privacy::FUNCTIONS,
    functions_video::FUNCTIONS,
    functions_web::FUNCTIONS,
];

/// Runs the function by whose name the program was started.
fn main() -> Ended {
    let started_as = env::args_os().next().unwrap_or_default();
    let name = Path::new(&started_as).file_name().and_then(OsStr::to_str).unwrap_or_default();
    let found = AREAS.into_iter().flatten().find(|it| it.0 == name);
    let (_, program) = found.ok_or_else(|| format!("there is no function {name}"))?;
    program()
}
