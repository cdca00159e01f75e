# shellcheck shell=bash
# pcapng.bash - what tests ask of a capture.
# SPDX-License-Identifier: MIT

# packets FILE [FILTER]: how many there are.
packets() { tshark -r "$1" ${2:+-Y "$2"} -T fields -e frame.number 2>/dev/null | wc -l; }

# fields FILE FILTER NAME ...: one line a packet, separated by blanks.
fields() {
	local file=$1 filter=$2 name args=()
	shift 2
	for name in "$@"; do args+=(-e "$name"); done
	tshark -r "$file" ${filter:+-Y "$filter"} -T fields -E separator=' ' "${args[@]}" 2>/dev/null
}

# no_remarks FILE: capinfos and tshark take it as it is.
no_remarks() {
	capinfos "$1" >/dev/null 2>remarks || return 1
	tshark -r "$1" -V >dissected 2>>remarks || return 1
	grep -iv 'running as user' remarks >real_remarks || true
	same remarks "$(cat real_remarks)" ''
	! grep -q 'Malformed' dissected
}
