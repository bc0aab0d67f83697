//! Progress on a terminal, for as long as a call is on; nothing elsewhere.

use std::future::Future;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mhost_model::ports::run::ProgressState;

use crate::session::Session;

const STEP: Duration = Duration::from_millis(100);

/// Waits for `work`, and shows how far the newest run of this process is.
pub async fn watch<T>(session: &Session, work: impl Future<Output = T>) -> T {
    let Some(app) = session.app().filter(|_| std::io::stderr().is_terminal()) else {
        return work.await;
    };
    let bar = ProgressBar::new_spinner();
    tokio::pin!(work);
    loop {
        tokio::select! {
            answer = &mut work => {
                bar.finish_and_clear();
                return answer;
            }
            () = tokio::time::sleep(STEP) => {
                if let Some(state) = app.runs.newest_progress() {
                    show(&bar, &state);
                }
                bar.tick();
            }
        }
    }
}

fn show(bar: &ProgressBar, state: &ProgressState) {
    let amount = if state.unit == "bytes" {
        "{bytes}/{total_bytes} {bytes_per_sec}"
    } else {
        "{pos}/{len}"
    };
    let template = match state.total {
        Some(total) => {
            bar.set_length(total);
            format!("{{msg}} [{{bar:30}}] {amount} {{eta}}")
        }
        None if state.unit == "bytes" => "{spinner} {msg} {bytes} {bytes_per_sec}".into(),
        None => "{spinner} {msg} {pos}".into(),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_position(state.done);
    bar.set_message(super::output::one_line(&state.phase));
}
