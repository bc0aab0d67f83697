//! mhost-sched
