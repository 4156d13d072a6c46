//! The node's binary: reads the settings, runs the node, says in one line what went wrong.

use std::process::ExitCode;

use clap::Parser;
use peerway_node::config::{ConfigError, Options, Settings};
use peerway_node::{logging, node};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A setting cannot be used.
const BAD_SETTING: u8 = 2;
/// Stopped by a second signal, as shells count it.
const CUT_OFF: i32 = 130;

fn main() -> ExitCode {
    let settings = match read_settings() {
        Ok(settings) => settings,
        Err(error) => return fail(&error, BAD_SETTING),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let ended = runtime.block_on(async {
        let stop = on_signal().map_err(|error| fail(&error, 1))?;
        let ended = node::run(settings, stop).await;
        ended.map_err(|error| fail(&error, if error.is_setting() { BAD_SETTING } else { 1 }))
    });
    // The engine's own threads have no end that could be waited for.
    runtime.shutdown_background();
    ended.err().unwrap_or(ExitCode::SUCCESS)
}

fn read_settings() -> Result<Settings, ConfigError> {
    let settings = Settings::of(&Options::parse().with_file()?)?;
    logging::start(settings.log_format, &settings.log)?;
    Ok(settings)
}

/// Resolves with the first SIGTERM or SIGINT; the second ends the process.
fn on_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            tracing::warn!("a second signal: answers that still run are cut off");
            std::process::exit(CUT_OFF);
        });
    })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("peerway-node: {line}");
    ExitCode::from(code)
}
