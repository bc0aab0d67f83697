# What a developer of mhost does, by name. Nothing here can be done only here: each
# recipe is a command that works on its own.

# the recipes
default:
    @just --list

# build the command, with its plugins inside
build:
    cargo build --release

# the whole suite
test:
    cargo test --release

# formatting and lints, as CI runs them
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# licences, bans and duplicate crates (needs cargo-deny)
deny:
    cargo deny check bans licenses sources

# the benches; the figures go into docs/benchmarks.md
bench:
    cargo bench --workspace --profile release

# fuzz the parsers of foreign bytes, or those named, for so many seconds each
fuzz seconds="60" *targets:
    .ci/fuzz {{seconds}} {{targets}}

# everything on real files in a new folder
demo folder="target/demo":
    rm -rf {{folder}}
    cargo run --release -- demo {{folder}}

# API docs, and the pages that are made from code
docs:
    MHOST_BLESS=1 cargo test --release --test docs
    cargo doc --workspace --no-deps

# what is shipped: one file
release:
    cargo build --profile dist --locked
    ls -l target/dist/mhost

# the scheduler in a simulated world, for so many steps
simulate steps="5000000":
    MHOST_SIMULATION_STEPS={{steps}} cargo test --release --test simulate -- --nocapture

# the service under kills, stops and full disks, twice for so many minutes
torture minutes="10":
    MHOST_TORTURE_MINUTES={{minutes}} cargo test --release --test torture -- --nocapture

# many tasks, many fires, beside cron's way and PostgreSQL
scale *sections:
    cargo build --release
    cargo bench --profile release --bench scale -- {{sections}}
