#!/bin/sh
# Prepare the machine and .venv; do nothing if nothing has changed. Called by `make setup` and `make test`.
#
#   deploy/setup.sh run     install what `streamgate up` and `streamgate demo` need
#   deploy/setup.sh test    the same, and what linting and testing need
#   deploy/setup.sh packages NAME...    only these system packages
#
# As root on Debian or Ubuntu it installs missing system packages; elsewhere nginx and ffmpeg come as Python packages.
set -eu
cd "$(dirname "$0")/.."

purpose=${1:-run}
python=${PYTHON:-python3}
lock_seconds=${APT_LOCK_SECONDS:-600}
run_packages="python3-venv nginx ffmpeg"
test_packages="$run_packages chromium fonts-dejavu-core libatomic1 openssl wrk git nodejs npm prometheus"
# Real players for the tests: WebKitGTK with its GStreamer plugins on a virtual display, VLC and Firefox.
test_packages="$test_packages webkit2gtk-driver gstreamer1.0-libav gstreamer1.0-plugins-good gstreamer1.0-plugins-bad xvfb"
test_packages="$test_packages vlc-bin vlc-plugin-base firefox-esr"
test_packages="$test_packages redis-server postgresql"
# Reverse proxies for the tests.
test_packages="$test_packages haproxy caddy"

say() { printf '%s\n' "$*" >&2; }

is_there() {
    case $1 in
        nginx) PATH="$PATH:/usr/sbin" command -v nginx >/dev/null ;;
        nodejs) command -v node >/dev/null ;;
        prometheus) command -v promtool >/dev/null ;;
        postgresql) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null ;;
        ffmpeg | chromium | wrk | git | npm) command -v "$1" >/dev/null ;;
        *) dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed ;;
    esac
}

missing_of() {
    for package in $1; do
        is_there "$package" || printf '%s ' "$package"
    done
}

# Another package manager may be running (a new machine updates itself): wait for it instead of failing midway.
# apt-get itself waits for the lock for installing, but not for the one on its lists. Its output is kept in $refused.
apt_get() {
    waited=0
    while :; do
        refused=$(DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=2 "$@" 2>&1 >/dev/null) && return 0
        case $refused in *lock*) ;; *) break ;; esac
        [ "$waited" -lt "$lock_seconds" ] || break
        [ "$waited" -gt 0 ] || say "Waiting for another package manager to finish ..."
        sleep 3
        waited=$((waited + 5))
    done
    return 1
}

apt_install() {
    apt_get install -y --no-install-recommends "$@" && return 0
    apt_get update || say "$refused"
    apt_get install -y --no-install-recommends "$@" || {
        say "$refused"
        return 1
    }
}

# Run a command while PostgreSQL's package is set not to create a cluster, which would start at boot: tests create their
# own.
without_cluster() {
    clusters=/etc/postgresql-common/createcluster.conf
    [ -e "$clusters" ] || apt_install postgresql-common
    cp -p "$clusters" "$clusters.kept"
    printf 'create_main_cluster = false\n' >>"$clusters"
    "$@" || status=$?
    mv "$clusters.kept" "$clusters"
    return "${status:-0}"
}

# Install without starting any service: nginx's package would otherwise take port 80.
install_packages() {
    say "Installing: $*"
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    case " $* " in
        *" postgresql "*) without_cluster apt_install "$@" ;;
        *) apt_install "$@" ;;
    esac
    # Only promtool is needed: Prometheus should not start at boot either.
    case " $* " in *" prometheus "*) systemctl disable -q prometheus >/dev/null 2>&1 || true ;; esac
    # The tests start their own.
    for service in haproxy caddy; do
        case " $* " in *" $service "*) systemctl disable -q "$service" >/dev/null 2>&1 || true ;; esac
    done
    case " $* " in *" redis-server "*) systemctl disable -q redis-server >/dev/null 2>&1 || true ;; esac
}

system_packages() {
    command -v apt-get >/dev/null || return 0
    missing=$(missing_of "$1")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        # shellcheck disable=SC2086  a list of names
        install_packages $missing || true
        missing=$(missing_of "$1")
        [ -z "$missing" ] || {
            say "Could not install: $missing(try: apt-get install $missing)"
            exit 1
        }
    else
        say "Continuing without: $missing(install as root: apt-get install $missing)"
    fi
}

virtual_environment() {
    # An incomplete one, made while python3-venv was missing, has no pip.
    [ -x .venv/bin/pip ] && return 0
    "$python" -c 'import ensurepip' 2>/dev/null || {
        say "Python cannot make virtual environments here; install python3-venv (Debian: apt-get install python3-venv)."
        exit 1
    }
    "$python" -m venv .venv
}

# Install a lock file if it, or the editable project, has changed since the last time.
python_packages() {
    stamp=.setup/$2
    fingerprint=$(cat "$1" pyproject.toml deploy/setup.sh | cksum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] && [ -x .venv/bin/streamgate ] && return 0
    say "Installing the Python packages of $1"
    .venv/bin/pip install -q --disable-pip-version-check --require-hashes -r "$1"
    .venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    mkdir -p .setup
    printf '%s\n' "$fingerprint" >"$stamp"
}

case $purpose in
    run)
        system_packages "$run_packages"
        virtual_environment
        # The lock file of the tests contains everything that is needed to run.
        [ -e .setup/test ] && python_packages deploy/requirements-dev.lock test && exit 0
        python_packages deploy/requirements.lock run
        ;;
    test)
        system_packages "$test_packages"
        virtual_environment
        python_packages deploy/requirements-dev.lock test
        ;;
    packages)
        shift
        system_packages "$*"
        ;;
    *)
        say "usage: deploy/setup.sh run|test|packages NAME..."
        exit 2
        ;;
esac
