//! `peerway`: see `peerway --help`.

use std::process::ExitCode;

use clap::Parser;
use peerway::cli::{self, Cli};

/// A request makes some hundreds of small allocations on several threads; with the system's allocator they were a
/// quarter of its CPU time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cli::fail(&format!("the runtime cannot start: {error}")),
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(&format!("{error:#}")),
    }
}
