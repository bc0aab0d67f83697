//! Shell completions and the manual page, made from the command line's own
//! description.

use clap::Command;
use clap_complete::Shell;

use super::output;
use crate::exit::{Outcomes, Problem};

#[derive(clap::Args)]
pub struct Args {
    /// Which shell
    shell: Shell,
}

pub fn run(args: Args, command: &mut Command) -> Outcomes<u8> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, command, "mhost", &mut text);
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(0)
}

pub fn man(command: Command) -> Outcomes<u8> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|error| Problem::bug(format!("cannot write the manual page: {error}")))?;
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(0)
}
