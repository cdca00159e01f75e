#!/bin/bash
# startup.sh - how long "cf-spawn -- true" takes; a report, nothing passes or fails by time.
# alone: what it says is how long things take.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

average() {	# WORDS ...: of 20 runs back to back, in microseconds
	local i start=${EPOCHREALTIME/./}
	for i in {1..20}; do
		"$@" || failed "run $i of $* failed"
	done
	AVERAGE=$(((${EPOCHREALTIME/./} - start) / 20))
}
say() { printf 'note %s: %s: %d.%d ms, average of 20 back to back\n' "$PASS" "$1" $((AVERAGE / 1000)) $((AVERAGE / 100 % 10)); }

twenty_runs_back_to_back() {
	only_cf
	average as_caller true
	say "true alone (what starting it costs here)" >"$T/report"
	cf_words
	average as_caller "${CF_WORDS[@]}" -- true
	say "cf-spawn -- true" >>"$T/report"
	[ -x "$(command -v pasta)" ] || return 0
	local how=(pasta --config-net -q -t none -u none -T none -U none)
	[ "$PASS" = user ] || how+=(--runas 0)
	as_caller timeout 20 "${how[@]}" -- true 2>/dev/null || return 0
	average as_caller "${how[@]}" -- true 2>/dev/null
	say "pasta -- true" >>"$T/report"
}
it twenty_runs_back_to_back
cat "$T/report" 2>/dev/null

done_testing
