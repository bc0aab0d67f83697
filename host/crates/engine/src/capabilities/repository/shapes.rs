//! Options and answers between the contract's types and the port's.

use mhost_model::ports::repository as port;

use crate::bindings::mhost::plugin::repository::{
    BackupOptions, BackupSummary, Judged, Keep, Node, PruneSummary, RestoreOptions, RestoreSummary,
    Snapshot, Verdict,
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
