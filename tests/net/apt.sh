#!/bin/bash
# apt.sh - apt-get update inside, against the machine's own configured mirror.
#
# Runs in the machine's own network.  Lists and caches go to a directory of the test's own.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_host_net "$@"

[ -x "$(command -v apt-get)" ] || {
	skip "apt-get update" "there is no apt-get"
	done_testing
}

# update RUNNER STATE: refresh lists into STATE; what may not fail fails it.
update() {
	local dir
	mkdir -p "$2"
	for dir in lists/partial cache/archives/partial; do
		make_for_caller "$2/$dir"
	done
	[ "$PASS" = root ] || chown -R cftest "$2"
	"$1" apt-get update -q -o Dir::State="$2" -o Dir::State::lists="$2/lists" -o Dir::Cache="$2/cache" \
	    -o Dir::State::status=/var/lib/dpkg/status \
	    -o APT::Sandbox::User="$(as_caller id -un)" -o APT::Update::Error-Mode=any \
	    -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=15 \
	    -o Acquire::https::Timeout=15 -o "Dir::Etc::sourcelist=$SOURCES" -o Dir::Etc::sourceparts=/dev/null
}
inside() { LIMIT=90 cf "$@"; }
# as_caller and cf differ in the "--" that cf needs.
in_sandbox() { inside -- "$@"; }
lists_of() {
	(cd "$1/lists" && find . -type f -name '*Packages*' | sort)
}

# The first configured source that works without us: a mirror that is down proves nothing.
find_source() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
		[ -s "$file" ] || continue
		SOURCES=$file
		update as_caller "$T/outside" >"$T/apt.out" 2>&1 && [ -n "$(lists_of "$T/outside")" ] && return
		rm -rf "$T/outside"
	done
	return 1
}
if ! find_source; then
	skip "apt-get update" "no configured mirror works without a sandbox either"
	done_testing
fi

apt_get_update_works() {
	update in_sandbox "$T/inside" || failed "$(tail -n 20 "$T/case.out")"
	same lists "$(lists_of "$T/inside")" "$(lists_of "$T/outside")"
}
it apt_get_update_works

done_testing
