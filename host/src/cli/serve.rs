//! `mhost serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Context;
use crate::exit::Outcomes;
use crate::service::{self, Options, http};

#[derive(clap::Args)]
pub struct Args {
    /// Configuration to apply at the start and at every HUP [default: the one that was applied last, else mhost.toml in the state folder, if there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Also answer over TCP here, such as 127.0.0.1:8700
    #[arg(long, value_name = "ADDRESS", requires = "token_file")]
    listen: Option<SocketAddr>,
    /// Holds the bearer token that TCP callers must send
    #[arg(long, value_name = "FILE", requires = "listen")]
    token_file: Option<PathBuf>,
}

pub async fn run(args: Args, context: &Context) -> Outcomes<u8> {
    let listen = args.listen.zip(args.token_file);
    let options = Options {
        config: args.config,
        listen: listen.map(|(address, token_file)| http::Listen {
            address,
            token_file,
        }),
    };
    service::serve(context.home.clone(), options).await?;
    Ok(0)
}
