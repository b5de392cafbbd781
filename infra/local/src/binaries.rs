//! The functions' programs, built by cargo.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    sync::Mutex,
};

/// Names a folder of programs that are used as they are, in place of a build: by their names, or as `cargo lambda`
/// leaves them.
pub const PREBUILT: &str = "VIDINTEL_PREBUILT";

/// The program that runs each function, by the name that it is started by.
const ALL: &str = "functions";

/// Beginnings of the names of the variables that describe one package.
const PACKAGE_VARIABLES: [&str; 4] =
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];

/// Where each program is, by the name of its binary.
#[derive(Clone, Debug)]
pub struct Binaries(Arc<BTreeMap<String, PathBuf>>);

/// How the programs are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build.
    #[default]
    Debug,
    /// As they are deployed.
    Release,
}

impl Binaries {
    /// Builds the whole workspace's programs, once in this process, and tells progress on standard
    /// error as cargo does.
    pub async fn build(profile: Profile) -> Result<Self> {
        static DONE: Mutex<[Option<Binaries>; 2]> = Mutex::const_new([None, None]);
        let mut done = DONE.lock().await;
        let slot = &mut done[profile as usize];
        match slot {
            Some(built) => Ok(built.clone()),
            None => {
                let found = match std::env::var_os(PREBUILT) {
                    Some(folder) => prebuilt(&crate::workspace().join(folder))?,
                    None => cargo_build(profile).await?,
                };
                Ok(slot.insert(Self(Arc::new(found))).clone())
            }
        }
    }

    /// The program of the binary `name`, or the one of all functions: start it by that name.
    pub fn path(&self, name: &str) -> Result<&Path> {
        let found = self.0.get(name).or_else(|| self.0.get(ALL)).map(PathBuf::as_path);
        found.with_context(|| format!("the workspace has no binary {name}"))
    }
}

fn prebuilt(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{PREBUILT}: {} cannot be read", folder.display()))?;
    let programs = entries.filter_map(|it| {
        let path = it.ok()?.path();
        let name = path.file_name()?.to_str()?.to_owned();
        // `cargo lambda` leaves each in a folder of its own.
        let program = if path.is_dir() { path.join("bootstrap") } else { path };
        program.is_file().then_some((name, program))
    });
    Ok(programs.collect())
}

async fn cargo_build(profile: Profile) -> Result<BTreeMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Of the whole workspace, although the tests and this very crate are not needed: a smaller choice
    // has other features, and would build many dependencies a second time.
    command.args(["build", "--workspace", "--message-format=json-render-diagnostics"]);
    match profile {
        // One program is linked much sooner than one for each function.
        Profile::Debug => command.args(["--bin", ALL, "--bin", "hello"]),
        Profile::Release => command.args(["--bins", "--release"]),
    };
    command
        .current_dir(crate::workspace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    // `cargo run` and `cargo test` tell the program that they start which package it is of. To a build
    // script that looks at those variables (ring's does) each caller would be a reason to build again.
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if PACKAGE_VARIABLES.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let mut cargo = command.spawn().context("cargo cannot be run")?;
    let output = cargo.stdout.take().context("cargo has no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next_line().await? {
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        let name = message.pointer("/target/name").and_then(Value::as_str);
        let program = message.get("executable").and_then(Value::as_str);
        if let (Some(name), Some(program)) = (name, program) {
            found.insert(name.to_owned(), program.into());
        }
    }
    ensure!(cargo.wait().await?.success(), "the functions cannot be built: see above");
    Ok(found)
}
