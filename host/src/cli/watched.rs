//! What tasks observed, as a table and as JSON.

use mhost_model::watch::Summary;
use serde_json::{Value, json};

use super::output;

/// A line for each subject and length of time.
pub fn uptime(summaries: &[Summary]) -> String {
    if summaries.is_empty() {
        return "Nothing was observed yet.\n".into();
    }
    output::table(
        [
            "TASK", "TARGET", "SPAN", "CHECKS", "UPTIME", "DOWN", "P50", "P90", "P99", "SEEN",
        ],
        summaries.iter().map(|one| {
            let latency = |share| latency(one.counts.latencies.percentile(share));
            [
                one.task.clone(),
                one.subject.clone(),
                one.span.as_str().to_owned(),
                one.counts.checks().to_string(),
                percent(one.counts.uptime()),
                one.counts.down.to_string(),
                latency(0.5),
                latency(0.9),
                latency(0.99),
                output::time(Some(one.seen)),
            ]
        }),
    )
}

/// Never rounded up to what it was not: 99.999 % is not 100 %.
fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".into(),
        Some(share) => format!("{:.2}%", (share * 10_000.0).floor() / 100.0),
    }
}

fn latency(micros: Option<u64>) -> String {
    match micros {
        None => "-".into(),
        Some(micros) => format!("{:.1}ms", micros as f64 / 1000.0),
    }
}

/// For programs: figures in place of histograms.
pub fn views_of(summaries: &[Summary]) -> Vec<Value> {
    let view = |one: &Summary| {
        let counts = &one.counts;
        let latencies = &counts.latencies;
        json!({
            "task": one.task,
            "target": one.subject,
            "span": one.span,
            "checks": counts.checks(),
            "up": counts.up,
            "degraded": counts.degraded,
            "down": counts.down,
            "uptime": counts.uptime(),
            "latency_us": {
                "p50": latencies.percentile(0.5),
                "p90": latencies.percentile(0.9),
                "p99": latencies.percentile(0.99),
                "max": latencies.max(),
            },
            "seen": one.seen,
        })
    };
    summaries.iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_is_not_rounded_up() {
        for (share, shown) in [
            (None, "-"),
            (Some(1.0), "100.00%"),
            (Some(0.999_99), "99.99%"),
            (Some(0.0), "0.00%"),
        ] {
            assert_eq!(percent(share), shown);
        }
    }
}
