//! The command line of the local cloud.

mod demo;

use std::{
    collections::BTreeMap,
    io::{Write, stderr, stdout},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use local::{
    Cloud, Options, bench,
    binaries::Profile,
    clock::Clock,
    control::{Beacon, advance_by, invoke_at, tables_at},
    http::Client,
    template::Template,
    timeline::Pace,
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

/// The whole cloud on one machine.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: Up,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything and keep it running (the default).
    Up(Up),
    /// Give one event to one function and print its answer.
    Invoke(Invoke),
    /// Count the items in each table of the running cloud.
    Tables,
    /// Move the clock of the running cloud, running every schedule that falls in between.
    Advance {
        /// How far, for example `31d` or `1h 30m`.
        #[arg(value_parser = humantime::parse_duration)]
        by: Duration,
        /// Run each schedule at most once in so much time, for example `1h`; otherwise every run
        /// that is due takes place.
        #[arg(long, value_parser = humantime::parse_duration)]
        pace: Option<Duration>,
        /// Console of the cloud, if it is not the one of this workspace.
        #[arg(long)]
        control: Option<String>,
    },
    /// Measure the metered path against yardsticks and print ratios.
    Bench {
        /// Leave out tables of a million items.
        #[arg(long)]
        quick: bool,
        /// Measure exports alone.
        #[arg(long)]
        exports: bool,
        /// Measure batches and misses alone.
        #[arg(long, conflicts_with = "exports")]
        videos: bool,
        /// Measure the jobs of every minute alone, with ten thousand accounts.
        #[arg(long, conflicts_with_all = ["exports", "videos"])]
        usage: bool,
        /// Count the calls of a cache hit alone.
        #[arg(long, conflicts_with_all = ["exports", "videos", "usage"])]
        calls: bool,
    },
}

#[derive(Args)]
struct Up {
    /// Port of the API.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Port of the mailbox page and the controls.
    #[arg(long, default_value_t = 9001)]
    console_port: u16,
    /// Where the clock starts, for example `2026-11-24T12:00:00Z`; otherwise now.
    #[arg(long, value_parser = parse_time)]
    at: Option<OffsetDateTime>,
    /// Folder to keep data in; otherwise it is thrown away.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Build the functions as they are deployed.
    #[arg(long)]
    release: bool,
    /// Switch TikTok's Research API off, as it is by default when deployed.
    #[arg(long)]
    no_research: bool,
    /// Show what the functions write.
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Args)]
struct Invoke {
    /// Logical id in the template, for example `GetVideoFunction`.
    function: String,
    /// File with the event; otherwise the function's own in `events/`.
    event: Option<PathBuf>,
    /// The time it is then, in a cloud started for this call alone. Without it, a running cloud is
    /// used if there is one.
    #[arg(long, value_parser = parse_time)]
    at: Option<OffsetDateTime>,
}

fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(stderr).with_max_level(tracing::Level::WARN).init();
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => up(cli.up).await,
        Some(Command::Up(up_)) => up(up_).await,
        Some(Command::Invoke(it)) => unless_interrupted(invoke(it)).await,
        Some(Command::Tables) => tables().await,
        Some(Command::Advance { by, pace, control }) => {
            let pace = pace.map_or(Pace::Every, Pace::OncePer);
            unless_interrupted(advance(by, pace, control)).await
        }
        Some(Command::Bench { videos: true, .. }) => {
            unless_interrupted(bench::run_videos(&mut stdout())).await
        }
        Some(Command::Bench { quick, usage: true, .. }) => {
            unless_interrupted(bench::run_usage(quick, &mut stdout())).await
        }
        Some(Command::Bench { calls: true, .. }) => {
            unless_interrupted(bench::run_calls(&mut stdout())).await
        }
        Some(Command::Bench { quick, exports: true, .. }) => {
            unless_interrupted(bench::run_exports(quick, &mut stdout())).await
        }
        Some(Command::Bench { quick, exports: false, .. }) => {
            unless_interrupted(bench::run(quick, &mut stdout())).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C or SIGTERM.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Dropping what is under way ends every process that it has started.
async fn unless_interrupted<T: Default>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = interrupted() => Ok(T::default()),
    }
}

/// One line about progress; results go to standard output.
fn say(line: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(stderr(), "{line}");
}

async fn up(up: Up) -> Result<()> {
    say("building the functions …");
    let clock = up.at.map_or_else(Clock::default, Clock::running_from);
    let research = if up.no_research { "off" } else { "on" };
    let options = Options {
        clock,
        runs_schedules: true,
        port: Some(up.port),
        console_port: Some(up.console_port),
        state: up.state.clone(),
        profile: if up.release { Profile::Release } else { Profile::Debug },
        shows_logs: up.verbose,
        parameters: BTreeMap::from([("TikTokResearch".to_owned(), research.to_owned())]),
        ..Options::test()
    };
    let starting = async { Cloud::start(options).await.map(Some) };
    let Some(cloud) = unless_interrupted(starting).await? else { return Ok(()) };
    let _beacon = match Beacon::find().await {
        None => Some(Beacon::light(cloud.console_url())?),
        Some(other) => {
            say(&format!(
                "`local advance` and `invoke` mean the cloud that ran before: {}",
                other.base()
            ));
            None
        }
    };
    let mut out = stdout();
    writeln!(out, "The API is at     {}", cloud.url())?;
    writeln!(out, "Mail arrives at   {}/mailbox", cloud.console_url())?;
    if let Err(error) = demo::sell(&cloud).await {
        writeln!(out, "No plans are sold {error:#}")?;
    }
    match demo::account(&cloud, up.state.as_deref()).await {
        Ok(account) => {
            writeln!(out, "Demo account      {}", account.email)?;
            writeln!(out, "Its API key       {}", account.key)?;
            writeln!(out, "\nTry:  {}\n", demo::first_request(&cloud, &account.key))?;
        }
        Err(error) => writeln!(out, "No demo account   {error:#}")?,
    }
    writeln!(out, "Ctrl-C ends it all.")?;
    // What is kept is also written now and then: not every end can be awaited.
    let mut minutes = interval(Duration::from_secs(60));
    let keep = async {
        loop {
            minutes.tick().await;
            if let Err(error) = cloud.save().await {
                say(&format!("the data could not be kept: {error:#}"));
            }
        }
    };
    tokio::select! {
        () = keep => {}
        () = interrupted() => {}
    }
    say("ending …");
    cloud.save().await
}

async fn invoke(invoke: Invoke) -> Result<()> {
    let template =
        Template::read(&local::workspace().join("template.yaml"), "local", &Default::default())?;
    let function = template.function(&invoke.function).with_context(|| {
        let known: Vec<_> = template.functions.iter().map(|it| it.id.as_str()).collect();
        format!("there is no {}; there are {}", invoke.function, known.join(", "))
    })?;
    let default = || local::workspace().join(format!("events/{}.json", function.binary));
    let file = invoke.event.unwrap_or_else(default);
    let text = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
    let event: Value = serde_json::from_slice(&text).context("the event is not JSON")?;
    let running = match invoke.at {
        None => Beacon::find().await,
        Some(_) => None,
    };
    let answer = match running {
        Some(console) => invoke_at(&console, &function.id, &event).await?,
        None => {
            let clock = invoke.at.map_or_else(Clock::default, Clock::running_from);
            let options = Options { clock, shows_logs: true, ..Options::test() };
            let cloud = Cloud::start(options).await?;
            cloud.invoke(&function.id, &event).await.map_err(|error| error.to_json())
        }
    };
    let (Ok(shown) | Err(shown)) = &answer;
    writeln!(stdout(), "{shown:#}")?;
    ensure!(answer.is_ok(), "{} failed", function.id);
    Ok(())
}

async fn tables() -> Result<()> {
    let console = Beacon::find().await.context("no local cloud is running here; start one")?;
    for (name, count) in tables_at(&console).await? {
        writeln!(stdout(), "{name}: {count}")?;
    }
    Ok(())
}

async fn advance(by: Duration, pace: Pace, control: Option<String>) -> Result<()> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let console = match control {
        Some(url) => Client::new(url),
        None => Beacon::find().await.context(
            "no local cloud is running here; start one, or name its console (--control)",
        )?,
    };
    // Day by day, to have something to tell on a long way.
    let mut report = advance_by(&console, by.min(DAY), pace).await?;
    let mut left = by.saturating_sub(DAY);
    while !left.is_zero() {
        say(&format!("{} …", report.to));
        report.extend(advance_by(&console, left.min(DAY), pace).await?);
        left = left.saturating_sub(DAY);
    }
    let mut out = stdout();
    writeln!(out, "from {}\nto   {}", report.from, report.to)?;
    for (job, runs) in &report.jobs {
        writeln!(out, "{job}: {} runs, {} failures", runs.invocations, runs.failures)?;
        if runs.skipped > 0 {
            writeln!(out, "  left out, as --pace says: {}", runs.skipped)?;
        }
        if let Some(error) = &runs.last_error {
            writeln!(out, "  the last: {error}")?;
        }
    }
    writeln!(out, "{} items expired by themselves", report.expired_items)?;
    ensure!(report.failures() == 0, "some runs failed");
    Ok(())
}
