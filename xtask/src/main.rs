//! `cargo xtask`: from a fresh clone to a running node (`up`), everything that must pass (`test`), and measurements (`bench`).
//!
//! Few dependencies, so that it compiles in seconds. Nothing of the product lives here: what a user needs after the
//! build is in `tana`. The end-to-end tests are in `tests/it`.

mod bench;
mod cargo;
mod crash;
mod engine;
mod fuzz;
mod keeper;
mod machine;
mod mesh_run;
mod postgres;
mod redis;
mod schema;
mod soak;
mod test;
mod tools;
mod types;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Build, run and test Tana",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything, make a demo chain if there is none, start the node and open the console
    Up(up::Options),
    /// Run everything that must pass: format, lints, licences, unit, integration and end-to-end tests
    Test(test::Options),
    /// Kill parts of a node under load, and count that nothing is lost
    Crash(crash::Options),
    /// Throw bytes at everything that reads them, guided by coverage
    Fuzz(fuzz::Options),
    /// Hold every service to its own OpenAPI document
    Schema(schema::Options),
    /// Load an edge with contracts that mean harm, and a chain with generated ones
    Soak(soak::Options),
    /// Run three nodes in three network namespaces: join, sync content, be cut off
    MeshRun(mesh_run::Options),
    /// Measure, and print a table
    Bench(bench::Options),
    /// Say which JavaScript engine would be built here, and why
    Engine(engine::Wanted),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Up(options) => up::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Crash(options) => crash::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Schema(options) => schema::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::MeshRun(options) => mesh_run::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Engine(wanted) => engine::run(&wanted),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
