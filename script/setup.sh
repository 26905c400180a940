# shellcheck shell=bash
# What the front doors share: Debian packages and the virtual environment, each fetched only when missing.
# Sourced, with ROOT already the checkout. Every way out of here is one sentence.

VENV=$ROOT/.venv
CACHE=$ROOT/.cache
POLICY=/usr/sbin/policy-rc.d

# shellcheck disable=SC2034 # read by script/test
UNIT_PACKAGES=(gpg gpg-agent gpgconf gpgv openssl zstd curl nftables) # what ocgate's parts call
# shellcheck disable=SC2034
TEST_PACKAGES=(git shellcheck chromium fonts-dejavu-core)
# shellcheck disable=SC2034 # read by script/test: its gateways account at a FreeRADIUS
GATEWAY_PACKAGES=(freeradius)
# shellcheck disable=SC2034 # read by script/test, which runs servers of its own
SERVER_PACKAGES=(postgresql redis-server prometheus)

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

tried() { # COMMAND…: up to three times; a first download that fails must not end a set-up
  local try
  for try in 1 2 3; do
    "$@" && return
    say "  try $try of 3 failed"
    [ "$try" = 3 ] || sleep $((try * 2))
  done
  return 1
}

need_python() { # sets PYTHON: the system's first, so that the venv does not hang on somebody's private build
  for PYTHON in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  done
  if lab_possible && command -v apt-get >/dev/null && [ ! -x /usr/bin/python3 ]; then
    need_packages python3 python3-venv
    PYTHON=/usr/bin/python3
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && return
  fi
  fail "Handover needs Python 3.11 or newer and found none; Debian 12 and later have it as python3."
}

missing_packages() {
  local package
  for package in "$@"; do
    # A removed package that left its configuration is listed too, so ask for its status.
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

apt_quiet() { # ARGS…: apt-get without questions, into the log
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Lock::Timeout=120 -o Acquire::Retries=2 \
    "$@" </dev/null >>"$CACHE/apt.log" 2>&1
}

update_and_install() { # PACKAGES…
  apt_quiet update || true # one broken source of many need not matter: the installation decides
  apt_quiet install --no-install-recommends "$@"
}

install_packages() { # PACKAGES…: as root; no daemon is started by an installation
  local had_sshd="" made_policy="" answer=0 package
  [ -e /usr/sbin/sshd ] && had_sshd=1
  if [ ! -e $POLICY ]; then
    # invoke-rc.d asks this file: 101 says that nothing may be started (openssh-server would open port 22).
    printf '#!/bin/sh\n# made by handover\nexit 101\n' >$POLICY && chmod 755 $POLICY
    made_policy=1
  fi
  tried update_and_install "$@" || answer=1
  [ -z "$made_policy" ] || rm -f $POLICY
  if [ -z "$had_sshd" ] && [ -e /usr/sbin/sshd ] && command -v systemctl >/dev/null; then
    systemctl -q disable ssh.service 2>/dev/null || true # or it would start at the next boot
  fi
  for package in "$@"; do
    case $package in
      postgresql | redis-server | prometheus)
        if command -v systemctl >/dev/null; then systemctl -q disable "$package.service" 2>/dev/null || true; fi
        ;;
    esac
  done
  return $answer
}

need_packages() { # PACKAGES…
  local missing started=$SECONDS
  command -v dpkg-query >/dev/null ||
    fail "Real gateways need Debian or a relative of it, and dpkg is not here; script/demo --simulated runs anywhere."
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "Debian packages are missing; as root: apt-get install ${missing[*]}"
  mkdir -p "$CACHE"
  # A run that was killed may have left ours behind; somebody else's stays.
  if grep -qs 'made by handover' $POLICY; then rm -f $POLICY; fi
  say "Installing Debian packages: ${missing[*]}"
  if ! install_packages "${missing[@]}"; then
    tail -n 5 "$CACHE/apt.log" >&2
    fail "The Debian packages could not be installed in 3 tries: check the network; the whole log is $CACHE/apt.log."
  fi
  say "  done in $((SECONDS - started)) s"
}

usable_venv() { "$VENV/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

fresh_venv() {
  usable_venv && return
  need_python
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
  say "Making the virtual environment in .venv"
  "$PYTHON" -m venv --clear "$VENV" >&2 || fail "The virtual environment could not be made in $VENV."
}

pip_install() { # FILE
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-input -r "$ROOT/$1" >"$CACHE/pip.log" 2>&1
}

need_requirements() { # FILE: the stamp holds the hash of what was installed
  local stamp=$VENV/.stamp-$1 want started=$SECONDS
  want=$(cat "$ROOT"/requirements*.txt | sha256sum | cut -d' ' -f1)
  [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
  say "Installing Python packages from $1"
  if ! tried pip_install "$1"; then
    tail -n 5 "$CACHE/pip.log" >&2
    fail "The Python packages could not be installed in 3 tries: check the network; the whole log is $CACHE/pip.log."
  fi
  printf '%s\n' "$want" >"$stamp"
  [ "$1" != requirements-dev.txt ] || printf '%s\n' "$want" >"$VENV/.stamp-requirements.txt"
  say "  done in $((SECONDS - started)) s"
}

need_venv() { # FILE: requirements.txt or requirements-dev.txt. Two set-ups at once take turns.
  [ -w "$ROOT" ] || fail "$ROOT belongs to somebody else: clone Handover as the user who runs it."
  mkdir -p "$CACHE"
  exec 8>"$CACHE/setup.lock"
  if command -v flock >/dev/null; then flock 8; fi
  fresh_venv
  need_requirements "$1"
  exec 8>&-
}

need_lab_packages() { # what lab/requirements.py finds missing; needs the venv
  local lacking
  lacking=$("$VENV/bin/python" -m lab packages) || exit 1
  # shellcheck disable=SC2086 # a list of names
  [ -z "$lacking" ] || need_packages $lacking
}

lab_possible() { # root on Linux: what namespaces and nftables need
  [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ]
}
