//! Overwriting before a file goes.

use super::super::shred::shred;
use super::bench::{Bench, kind};

#[test]
fn a_file_goes() {
    let bench = Bench::new();
    bench.write("logs/a", "12345");
    shred(bench.work(), &bench.to_write("/logs/a").unwrap(), 2).unwrap();
    assert!(!bench.host("logs/a").exists());
}

#[test]
fn a_file_with_another_name_stays_as_it_is() {
    let bench = Bench::new();
    bench.write("elsewhere", "precious");
    std::fs::create_dir_all(bench.host("logs")).unwrap();
    std::fs::hard_link(bench.host("elsewhere"), bench.host("logs/a")).unwrap();
    let refused = shred(bench.work(), &bench.to_write("/logs/a").unwrap(), 1);
    assert_eq!(kind(&refused), "unsupported");
    assert_eq!(std::fs::read(bench.host("elsewhere")).unwrap(), b"precious");
    assert!(bench.host("logs/a").exists());
}
