//! Options and answers between the contract's types and the port's.

use mhost_model::ports::repository as port;

use crate::bindings::mhost::plugin::repository::{
    BackupOptions, BackupPlan, BackupResult, BackupRules, BackupSummary, Change, Comparison,
    Difference, Existing, Found, Judged, Keep, Key, Lock, Node, PruneSummary, RestoreOptions,
    RestorePlan, RestoreResult, RestoreRules, RestoreSummary, Share, Snapshot, Verdict,
};
use crate::capabilities::millis;

pub(super) fn snapshot(found: port::Snapshot) -> Snapshot {
    Snapshot {
        id: found.id,
        time: millis(found.time),
        hostname: found.hostname,
        paths: found.paths,
        tags: found.tags,
        files: found.files,
        size: found.size,
    }
}

pub(super) fn backup_options(options: BackupOptions) -> port::BackupOptions {
    port::BackupOptions {
        tags: options.tags,
        hostname: options.hostname,
        exclude: options.exclude,
        one_file_system: options.one_file_system,
        parent: options.parent,
        ..port::BackupOptions::default()
    }
}

pub(super) fn backup_summary(summary: port::BackupSummary) -> BackupSummary {
    BackupSummary {
        snapshot: snapshot(summary.snapshot),
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        bytes_processed: summary.bytes_processed,
        bytes_added: summary.bytes_added,
        unread: summary.unread,
    }
}

pub(super) fn restore_options(options: RestoreOptions) -> port::RestoreOptions {
    port::RestoreOptions {
        paths: options.paths,
        delete: options.delete,
        overwrite: options.overwrite,
        ..port::RestoreOptions::default()
    }
}

pub(super) fn restore_summary(summary: port::RestoreSummary) -> RestoreSummary {
    RestoreSummary {
        files: summary.files,
        bytes: summary.bytes,
        unchanged: summary.unchanged,
    }
}

pub(super) fn node(node: port::Node) -> Node {
    Node {
        path: node.path,
        kind: node.kind,
        size: node.size,
        modified: node.modified.map(millis),
    }
}

pub(super) fn keep(policy: Keep) -> port::Keep {
    port::Keep {
        last: policy.last,
        hourly: policy.hourly,
        daily: policy.daily,
        weekly: policy.weekly,
        monthly: policy.monthly,
        yearly: policy.yearly,
        within_seconds: policy.within_seconds,
        tags: policy.tags,
    }
}

pub(super) fn judged(judged: port::Judged) -> Judged {
    Judged {
        snapshot: snapshot(judged.snapshot),
        keep: judged.keep,
        reasons: judged.reasons,
    }
}

pub(super) fn prune_summary(summary: port::PruneSummary) -> PruneSummary {
    PruneSummary {
        bytes_removed: summary.bytes_removed,
        bytes_repacked: summary.bytes_repacked,
        bytes_unused_left: summary.bytes_unused_left,
    }
}

pub(super) fn verdict(verdict: port::Verdict) -> Verdict {
    Verdict {
        sound: verdict.sound,
        findings: verdict.findings,
        bytes_read: verdict.bytes_read,
    }
}

pub(super) fn backup_rules(
    options: BackupOptions,
    rules: BackupRules,
    storages: Vec<port::StoragePair>,
) -> port::BackupOptions {
    port::BackupOptions {
        iexclude: rules.iexclude,
        exclude_if_present: rules.exclude_if_present,
        exclude_caches: rules.exclude_caches,
        exclude_larger_than: rules.exclude_larger_than,
        force: rules.force,
        ignore_inode: rules.ignore_inode,
        ignore_ctime: rules.ignore_ctime,
        skip_if_unchanged: rules.skip_if_unchanged,
        storages,
        ..backup_options(options)
    }
}

pub(super) fn backup_result(summary: port::BackupSummary) -> BackupResult {
    BackupResult {
        made: summary.made,
        parent: summary.parent.clone(),
        remarks: summary.remarks.clone(),
        summary: backup_summary(summary),
    }
}

pub(super) fn restore_rules(rules: RestoreRules) -> port::RestoreOptions {
    port::RestoreOptions {
        paths: rules.paths,
        delete: rules.delete,
        overwrite: matches!(rules.existing, Existing::Replace | Existing::ReplaceOlder),
        include: rules.include,
        exclude: rules.exclude,
        keep_newer: rules.existing == Existing::ReplaceOlder,
        keep_existing: rules.existing == Existing::Keep,
    }
}

pub(super) fn restore_result(summary: port::RestoreSummary) -> RestoreResult {
    RestoreResult {
        kept: summary.kept,
        summary: restore_summary(summary),
    }
}

/// `target` is the guest path that was compared.
pub(super) fn comparison(found: port::Comparison, target: &str) -> Comparison {
    let target = target.trim_end_matches('/');
    let below = |path: String| format!("{target}{path}");
    Comparison {
        files: found.files,
        bytes: found.bytes,
        differences: found.differences,
        differing: found.differing,
        databases: found.databases.into_iter().map(below).collect(),
    }
}

pub(super) fn share(share: Share) -> port::Share {
    match share {
        Share::Percent(percent) => port::Share::Percent(percent),
        Share::Part((part, of)) => port::Share::Part { part, of },
    }
}

pub(super) fn difference(found: port::Difference) -> Difference {
    let changes = found.changes.into_iter().map(|change| Change {
        path: change.path,
        change: change.change,
        size_before: change.size_before,
        size_after: change.size_after,
    });
    Difference {
        changes: changes.collect(),
        omitted: found.omitted,
        added: found.added,
        removed: found.removed,
        changed: found.changed,
        metadata: found.metadata,
        bytes_added: found.bytes_added,
        bytes_removed: found.bytes_removed,
    }
}

pub(super) fn found(found: port::Found) -> Found {
    Found {
        snapshot: found.snapshot,
        time: millis(found.time),
        node: node(found.node),
    }
}

pub(super) fn key(key: port::KeyInfo) -> Key {
    Key {
        id: key.id,
        username: key.username,
        hostname: key.hostname,
        created: key.created.map(millis),
        current: key.current,
    }
}

pub(super) fn lock(lock: port::LockInfo) -> Lock {
    Lock {
        id: lock.id,
        exclusive: lock.exclusive,
        hostname: lock.hostname,
        username: lock.username,
        pid: u32::try_from(lock.pid).unwrap_or(0),
        time: millis(lock.time),
        stale: lock.stale,
        explanation: lock.explanation,
    }
}

pub(super) fn backup_plan(plan: port::BackupPlan) -> BackupPlan {
    BackupPlan {
        files: plan.files,
        bytes: plan.bytes,
        unread: plan.unread,
    }
}

pub(super) fn restore_plan(plan: port::RestorePlan) -> RestorePlan {
    RestorePlan {
        kept: plan.summary.kept,
        summary: restore_summary(plan.summary),
        removals: plan.removals,
        removed: plan.removed,
        conflicts: plan.conflicts,
        conflicting: plan.conflicting,
    }
}
