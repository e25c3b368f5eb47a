#!/bin/sh
# Makes .venv in the checkout: a Python of 3.11 or newer, uv, and the locked dependencies.
# Takes no time when nothing changed. `setup.sh browsers` also looks for the browsers of the tests, and ends with
# status 3 when Chromium is missing and cannot be installed, with 4 when Firefox alone is. `setup.sh network` also looks
# for what their bad networks need, and ends with 3 when something is missing, with 5 when we are not root.
# `setup.sh sbom` prints the bill of materials (CycloneDX 1.5) of what is locked for running, with its hashes.
set -eu
cd "$(dirname "$0")/.."

fail() { echo "telehealth: $*" >&2; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9]*/bin/python3; do
        if new_enough "$candidate"; then command -v "$candidate"; return 0; fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() {
    command -v apt-get >/dev/null || return 1
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@"; } >/dev/null 2>&1
}

own_uv() {
    uv=.tools/bin/uv
    if [ -x "$uv" ]; then return; fi
    python=$(find_python) || fail "needs Python 3.11 or newer, found none (set PYTHON=/path/to/python3)."
    "$python" -m venv --clear .tools >/dev/null 2>&1 || {
        rm -rf .tools
        apt_install python3-venv && "$python" -m venv --clear .tools >/dev/null 2>&1
    } || fail "this Python cannot make virtual environments. On Debian: apt-get install python3-venv"
    .tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14' ||
        fail "uv could not be installed; is there a network?"
}

dependencies() {
    stamp=.venv/telehealth.lock
    if [ -x .venv/bin/python ] && cmp -s uv.lock "$stamp"; then return; fi
    python=$(find_python) || fail "needs Python 3.11 or newer, found none (set PYTHON=/path/to/python3)."
    echo "Installing the locked dependencies (once) ..."
    if command -v uv >/dev/null; then uv=uv; else own_uv; fi
    "$uv" sync --frozen --quiet --python "$python" || fail "the dependencies could not be installed (see above)."
    cp uv.lock "$stamp"
}

has_chromium() {
    # The Node in the Playwright package wants libatomic, which a small Debian does not have.
    command -v chromium >/dev/null && .venv/lib/python3*/site-packages/playwright/driver/node --version >/dev/null 2>&1
}

has_firefox() {
    command -v firefox-esr >/dev/null || command -v firefox >/dev/null
}

browsers() {
    has_chromium || { apt_install chromium fonts-noto-core libatomic1 && has_chromium; } || exit 3
    has_firefox || apt_install firefox-esr || apt_install firefox || exit 4
}

turn_server() {
    if command -v turnserver >/dev/null || ! apt_install coturn; then return; fi
    as_root systemctl disable --now coturn >/dev/null 2>&1 || true # the tests start their own
}

has_networks() {
    command -v nft >/dev/null && command -v tc >/dev/null && command -v espeak-ng >/dev/null
}

may_make_networks() {
    probe=telehealth-$$
    ip netns add "$probe" 2>/dev/null || return 1
    made=yes
    ip netns exec "$probe" sh -c 'ip link add name one type veth peer name two && nft add table ip t &&
        tc qdisc add dev one root tbf rate 1mbit burst 16kb latency 100ms' >/dev/null 2>&1 || made=
    ip netns delete "$probe"
    [ -n "$made" ]
}

networks() {
    [ "$(id -u)" = 0 ] || exit 5
    (browsers) || exit 3
    has_networks || { apt_install espeak-ng iproute2 nftables && has_networks; } || exit 3
    may_make_networks || exit 5 # root in a container may not
}

# By the uv that we know to write one.
sbom() {
    own_uv
    "$uv" export --quiet --frozen --no-dev --format cyclonedx1.5 --preview-features sbom-export
}

translations() {
    for po in telehealth/locale/*/LC_MESSAGES/django.po; do
        mo=${po%.po}.mo
        # dash finds nothing newer than a file that is not there.
        if [ -e "$po" ] && { [ ! -e "$mo" ] || [ "$po" -nt "$mo" ]; }; then
            .venv/bin/pybabel --quiet compile --input-file "$po" --output-file "$mo" --locale "$(basename "${po%/LC_MESSAGES/django.po}")"
        fi
    done
}

case "${1:-}" in
sbom) sbom; exit ;;
esac
dependencies
translations
case "${1:-}" in
browsers) turn_server; browsers ;;
network) networks ;;
esac
