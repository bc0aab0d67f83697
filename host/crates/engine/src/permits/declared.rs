//! Grants as far as the action's manifest declares their kinds.

use mhost_model::grant::{Access, Grants};
use mhost_model::plugin::{Capability, Declared};

/// The grants without the kinds that are not declared; what is only looked at is
/// read-only. Verbs that change databases, repositories and processes are judged one by
/// one, since a verb may be granted for what it shows (`append` for the locks).
pub(super) fn within(grants: &Grants, declared: &Declared) -> Grants {
    let Grants {
        mut dirs,
        mut databases,
        mut repositories,
        mut remotes,
        mut net,
        mut secrets,
        mut processes,
        tasks,
        channels,
    } = grants.clone();
    for kind in Capability::ALL {
        if declared.asks(kind) {
            continue;
        }
        match kind {
            Capability::Directories => dirs.clear(),
            Capability::Databases => databases.clear(),
            Capability::Network => net.clear(),
            Capability::Repositories => repositories.clear(),
            Capability::Remotes => remotes.clear(),
            Capability::Secrets => secrets.clear(),
            Capability::Processes => processes.clear(),
        }
    }
    if !declared.changes(Capability::Directories) {
        let looked_at = |dir: &mut mhost_model::grant::DirGrant| dir.access = Access::ReadOnly;
        dirs.values_mut().for_each(looked_at);
    }
    if !declared.changes(Capability::Remotes) {
        let looked_at = |one: &mut mhost_model::grant::RemoteGrant| one.access = Access::ReadOnly;
        remotes.values_mut().for_each(looked_at);
    }
    Grants {
        dirs,
        databases,
        repositories,
        remotes,
        net,
        secrets,
        processes,
        tasks,
        channels,
    }
}

/// The remedy where a kind is not declared.
pub(super) fn no_kind(action: &str, kind: Capability) -> String {
    format!(
        "no grant allows it, since the plugin does not declare that `{action}` needs {}; \
         its author must",
        kind.as_str()
    )
}

/// The remedy where a kind is declared to be looked at only.
pub(super) fn no_change(action: &str, kind: Capability) -> String {
    format!(
        "no grant allows it, since the plugin declares that `{action}` only looks at {}; \
         its author must say that it changes them",
        kind.as_str()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(grants: &Grants) -> Vec<String> {
        let json = serde_json::to_value(grants).unwrap();
        json.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn each_kind_is_declared_by_itself() {
        let all: Grants = serde_json::from_value(json!({
            "dirs": { "a": { "path": "/a", "access": "read-write" } },
            "databases": { "a": { "verbs": ["write"] } },
            "net": ["http://a"],
            "repositories": { "a": { "verbs": ["append"] } },
            "remotes": { "a": { "access": "read-write" } },
            "secrets": { "repo": { "env": "A" } },
            "processes": { "a": { "command": ["/a"] } },
            "tasks": ["a"],
            "channels": ["a"],
        }))
        .unwrap();
        let every = Capability::ALL.map(|kind| (kind, true));
        assert_eq!(within(&all, &every.into_iter().collect()), all);
        for kind in Capability::ALL {
            let others = every.into_iter().filter(|(other, _)| *other != kind);
            let left = places(&within(&all, &others.collect()));
            let gone: Vec<String> = places(&all)
                .into_iter()
                .filter(|place| !left.contains(place))
                .collect();
            let place = match kind {
                Capability::Directories => "dirs",
                Capability::Network => "net",
                kind => kind.as_str(),
            };
            assert_eq!(gone, [place]);
        }
        assert_eq!(
            places(&within(&all, &Declared::default())),
            ["channels", "tasks"]
        );
        let looks = within(
            &all,
            &Capability::ALL
                .map(|kind| (kind, false))
                .into_iter()
                .collect(),
        );
        let (dir, remote) = (&looks.dirs.values().next(), &looks.remotes.values().next());
        assert!(dir.is_some_and(|dir| dir.access == Access::ReadOnly));
        assert!(remote.is_some_and(|remote| remote.access == Access::ReadOnly));
    }
}
