//! The outbox: what waits by channel, what came of tries, and what is let go.

use super::*;

#[tokio::test]
async fn what_came_of_tries_is_kept() {
    let w = World::plain().await;
    w.s.put("t", minutely()).await;
    w.run(60, failed()).await;
    w.run(120, Ended::Succeeded).await;
    let tried = |letters: &[u64], came| Tried {
        letters: letters.to_vec(),
        at: at(130),
        came,
    };
    let why = || "no".to_owned();
    let retry_at: Instant = at(160);
    let tries = vec![tried(
        &[1, 2],
        Came::Failed {
            why: why(),
            retry_at,
        },
    )];
    w.notices.tried(tries).await.unwrap();
    let waiting = w.notices.waiting(9).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].attempts), (2, 1));
    assert_eq!(
        (waiting[0].retry_at, waiting[0].error.as_deref()),
        (Some(retry_at), Some("no"))
    );
    w.notices
        .tried(vec![tried(&[1, 2], Came::Delivered)])
        .await
        .unwrap();
    assert_eq!(w.notices.waiting(9).await.unwrap(), []);
    let since = w.notices.delivered_since(at(0)).await.unwrap();
    assert_eq!(since, [(name("log"), at(130))], "one message");
    let letters = w.notices.letters(9).await.unwrap();
    assert!(matches!(
        letters[0].state,
        LetterState::Delivered { with: 1, .. }
    ));
    assert_eq!(letters[0].error, None);
    w.run(180, failed()).await;
    w.notices
        .tried(vec![tried(&[3], Came::GivenUp { why: why() })])
        .await
        .unwrap();
    assert_eq!(w.notices.waiting(9).await.unwrap(), []);
    w.sound().await;
}

fn message(channel: &str, title: usize) -> Posting {
    let event = json!({
        "kind": "message", "at": at(0), "severity": "degraded", "title": title.to_string(),
    });
    Posting {
        channel: name(channel),
        event: serde_json::from_value(event).unwrap(),
        files: Vec::new(),
        once: None,
    }
}

async fn post(w: &World, channel: &str, count: usize) {
    let letters = (0..count).map(|at| w.notices.post(message(channel, at)));
    for posted in futures::future::join_all(letters).await {
        assert!(posted.unwrap());
    }
}

#[tokio::test]
async fn what_waits_for_one_channel_hides_nothing_of_another() {
    let w = World::plain().await;
    post(&w, "log", 30).await;
    post(&w, "dead", 3).await;
    let waiting = async |each: usize, but: &[&str]| {
        let but = but.iter().map(|one| name(one)).collect();
        let found = w.notices.waiting_by_channel(each, but).await.unwrap();
        let of = |channel: &str| {
            found
                .iter()
                .filter(|one| one.channel == name(channel))
                .count()
        };
        (of("log"), of("dead"))
    };
    assert_eq!(waiting(2, &[]).await, (2, 2));
    assert_eq!(waiting(9, &[]).await, (9, 3));
    assert_eq!(waiting(9, &["log"]).await, (0, 3));
    let first = w
        .notices
        .waiting_by_channel(1, ["dead"].map(name).into())
        .await
        .unwrap();
    assert_eq!(
        first[0].id,
        w.notices.waiting(1).await.unwrap()[0].id,
        "the oldest first"
    );
}

#[tokio::test]
async fn what_was_delivered_goes_also_behind_one_that_waits() {
    let w = World::plain().await;
    post(&w, "dead", 1).await;
    post(&w, "log", 1500).await;
    let waiting = w.notices.waiting(9999).await.unwrap();
    let letters: Vec<u64> = waiting.iter().skip(1).map(|one| one.id).collect();
    assert_eq!(letters.len(), 1500);
    let tried = Tried {
        letters,
        at: at(1),
        came: Came::Delivered,
    };
    w.notices.tried(vec![tried]).await.unwrap();
    post(&w, "log", 1).await;
    let left = w.notices.letters(9999).await.unwrap();
    assert_eq!(
        left.len(),
        1002,
        "a thousand, the new one, and the one that waits"
    );
    assert_eq!(left.last().unwrap().channel, name("dead"));
    assert_eq!(w.notices.waiting(9).await.unwrap().len(), 2);
    w.sound().await;
}
