//! The load and the floors of `scripts/bench`: each command prints one line of JSON.

// It measures: what reads the wall clock is the point of it.
#![allow(clippy::disallowed_methods)]

mod connection;
mod constant;
mod fetch;
mod load;
mod store;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Loads, and the floors they are held against")]
enum Command {
    /// Sends the requests of a file, over and over, and tells how fast they were answered
    Load(load::Options),
    /// Reads a whole directory as a bare client does: fetch and parse, and nothing kept
    Fetch(fetch::Options),
    /// Answers every POST with a constant; prints its address
    Constant,
}

#[tokio::main]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}

async fn run() -> anyhow::Result<()> {
    let told = match Command::parse() {
        Command::Load(options) => load::run(options).await?,
        Command::Fetch(options) => fetch::run(options).await?,
        Command::Constant => return constant::serve().await,
    };
    println!("{told}");
    Ok(())
}
