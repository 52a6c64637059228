# Recipes for people and CI. Each is a line or two that also works by hand; README.md says which.

image := "sage:latest"
version := `sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml`
revision := `git rev-parse HEAD 2>/dev/null || echo unknown`
created := `git show --no-patch --format=%cI 2>/dev/null || echo 1970-01-01T00:00:00Z`

# List the recipes
default:
    @just --list --unsorted

# Build the release executable for this machine
build:
    cargo build --release --locked

# Run all tests that this machine can run
test:
    cargo test --locked

# Check formatting and lints, warnings denied
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- -D warnings

# Build the static executables and their bill of materials into dist/
dist *ARGS:
    tools/dist {{ARGS}}
    tools/sbom

# Build the image; `just build-image dist` takes the executables from dist/ and needs no registry
build-image BINARIES="source":
    DOCKER_BUILDKIT=1 docker build --file Dockerfile.scratch --tag {{image}} --build-arg BINARIES={{BINARIES}} \
        --build-arg VERSION={{version}} --build-arg REVISION={{revision}} --build-arg CREATED={{created}} .

# Build, start, wait until all is healthy, and say how to connect
up: build-image
    docker compose up --detach --wait
    @echo 'Sage is at http://127.0.0.1:17800. Connect Claude Code with one of:'
    @echo '  claude mcp add sage -- docker exec -i -e CLAUDE_PROJECT_DIR -e CLAUDE_CODE_SESSION_ID sage /sage mcp'
    @echo '  claude mcp add --transport http sage http://127.0.0.1:17800/mcp --header "Sage-Project-Dir: $PWD"'

# Stop it; memories stay in their volumes
down:
    docker compose down

# Follow what it logs
logs:
    docker compose logs --follow --tail 100

# Talk MCP to the running container, line by line
exec-mcp:
    docker exec -i -e CLAUDE_PROJECT_DIR -e CLAUDE_CODE_SESSION_ID sage /sage mcp

# Measure every budget at full length, print the table of the README, fail if one is exceeded
budgets:
    SAGE_TEST_FULL=1 cargo test --locked --test tests budgets::table -- --ignored --exact --nocapture

# Show what the executable is made of, by crate and by section
size:
    tools/size

# Work a store for an accelerated day, bounded in time, and watch for growth
soak *ARGS: build
    cargo run --release --locked --example soak -- {{ARGS}}

# Live through sessions of the real Claude Code, offline; CLAUDE names its executable, HARNESS the folder that drives it
claude-e2e *HARNESS: build
    tests/claude/e2e {{HARNESS}}

# Everything that CI checks
ci:
    .ci/run
