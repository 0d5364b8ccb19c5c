//! How long the property tests run.

use proptest::test_runner::Config;

/// `count` cases in the test command; as many as `PROPTEST_CASES` says when a person wants to dig longer:
/// `PROPTEST_CASES=1000000 cargo test -p keelson-core --release`.
pub fn cases(count: u32) -> Config {
    let config = Config::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { config } else { Config { cases: count, ..config } }
}
