//! `mhost demo`.

use std::path::PathBuf;

use super::{Context, output};
use crate::demo::{self, Shown};
use crate::exit::{Kind, Outcomes};

#[derive(clap::Args)]
pub struct Args {
    /// A folder to make; it must not exist, or be empty
    #[arg(default_value = "mhost-demo")]
    folder: PathBuf,
}

pub async fn run(args: Args, context: &Context) -> Outcomes<u8> {
    let say = |text: &str| {
        if !context.output.is_json() {
            output::note(text);
        }
    };
    let shown = demo::run(&args.folder, &say).await?;
    context.output.data(&shown, human)?;
    Ok(if shown.failed() {
        Kind::Failed.code()
    } else {
        0
    })
}

fn human(shown: &Shown) -> String {
    let mut text = String::from("\nThe first tick ran:\n\n");
    text += &output::table(
        ["RUN", "TASK", "OUTCOME", "TOOK", "WHAT IT CHANGED"],
        shown.first_tick.iter().map(|view| {
            [
                view.run.to_string(),
                view.task.to_string(),
                view.word().to_owned(),
                output::duration(view.took()),
                demo::gist(view),
            ]
        }),
    );
    text += &match shown.second_tick.len() {
        0 => "\nThe second tick ran nothing: no fire runs twice.\n".to_owned(),
        runs => format!("\nThe second tick ran {runs} again, which it should not.\n"),
    };
    text += &demo::how_to_go_on(shown);
    text
}
