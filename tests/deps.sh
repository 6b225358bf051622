#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Installs the Debian packages named as arguments that are missing; says nothing if none is.
set -eu

missing=()
for package in "$@"; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
		missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages: ${missing[*]}; run: sudo make deps" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Servers that come with the tests must not start by themselves.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	trap 'rm -f $policy' EXIT
fi
apt-get update -q
apt-get install -yq --no-install-recommends "${missing[@]}"
