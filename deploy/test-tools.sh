#!/usr/bin/env bash
# Installs what the tests need beside Python, or says precisely what is missing. Does nothing when all is there.
#   Java 17 and Maven, Apache Kafka's jars (.tools/kafka), PostgreSQL's server, a local Slack (.tools/node_modules),
#   MLflow in an environment of its own (.tools/mlflow): it brings eighty packages that Fireline does without
set -euo pipefail
cd "$(dirname "$0")/.."

SLACK=local-slack-linux-x64
SLACK_VERSION=0.1.8
JARS=.tools/kafka
MLFLOW=.tools/mlflow
MLFLOW_VERSION=3.17.2
missing=()

say() { printf 'test tools: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

java_17() {
  have java && [ "$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p;T;q')" -ge 17 ] 2>/dev/null
}

postgres_server() {
  have postgres && have initdb && return
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

# apt_install WHAT PACKAGE...: installs packages where we may; otherwise WHAT is reported as missing
apt_install() {
  local what=$1
  shift
  if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
    missing+=("$what: install it (on Debian, as root: apt-get install $*)")
    return
  fi
  say "installing $*"
  [ -n "${updated:-}" ] || { apt-get update -qq >/dev/null && updated=yes; } || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
    missing+=("$what: apt-get install $* failed")
}

kafka_jars() {
  local wanted
  wanted=$(sha256sum deploy/kafka/pom.xml | cut -d' ' -f1)
  [ "$(cat "$JARS/.pom" 2>/dev/null)" = "$wanted" ] && return
  say "fetching Apache Kafka into $JARS (once)"
  rm -rf "$JARS"
  mkdir -p "$JARS"
  local log
  log=$(mktemp)
  if mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$PWD/$JARS" >"$log" 2>&1 && compgen -G "$JARS/kafka_*.jar" >/dev/null; then
    echo "$wanted" >"$JARS/.pom"
  else
    missing+=("Apache Kafka: Maven could not fetch deploy/kafka/pom.xml's dependencies: $(tail -n 3 "$log" | tr '\n' ' ')")
  fi
  rm -f "$log"
}

local_slack() {
  local package=.tools/node_modules/$SLACK/package.json
  grep -qs "\"version\": *\"$SLACK_VERSION\"" "$package" && return
  say "fetching $SLACK (once)"
  mkdir -p .tools
  npm install --silent --no-save --no-audit --no-fund --prefix .tools "$SLACK@$SLACK_VERSION" >/dev/null 2>&1 &&
    [ -x ".tools/node_modules/$SLACK/bin/local-slack" ] ||
    missing+=("the local Slack: npm install --prefix .tools $SLACK@$SLACK_VERSION failed")
}

mlflow_server() {
  [ "$(cat "$MLFLOW/.version" 2>/dev/null)" = "$MLFLOW_VERSION" ] && return
  say "fetching MLflow $MLFLOW_VERSION into $MLFLOW (once)"
  rm -rf "$MLFLOW"
  "${PYTHON:-python3}" -m venv "$MLFLOW" >/dev/null &&
    "$MLFLOW/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "mlflow==$MLFLOW_VERSION" >/dev/null &&
    echo "$MLFLOW_VERSION" >"$MLFLOW/.version"
}

mlflow_server &
mlflow=$!
java_17 || apt_install "Java 17" openjdk-17-jre-headless
have mvn || apt_install "Maven" maven
postgres_server || apt_install "the PostgreSQL server" postgresql
have npm || apt_install "npm" npm
if java_17 && have mvn; then kafka_jars; fi
if have npm; then local_slack; fi
wait "$mlflow" || missing+=("MLflow: pip install mlflow==$MLFLOW_VERSION into $MLFLOW failed")

if [ ${#missing[@]} -gt 0 ]; then
  say "these are missing, and tests that need them will fail:"
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
fi
