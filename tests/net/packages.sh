#!/bin/bash
# packages.sh - what the Debian packages have, by the lists that they are made from; and the units.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

LISTS=$SOURCE/.debian

# Files of the packages, as they are installed here.
files_of() {	# PACKAGE ...
	local package
	for package; do
		sed 's|^usr/share/zsh/vendor-completions|usr/share/zsh/site-functions|; s|^usr/|/srv/cf/|' \
		    "$LISTS/$package.install" |
		    while read -r path; do find "$path" ! -type d || echo "$package: $path is missing"; done
	done
}

every_file_is_of_one_package() {
	only_for root
	local list packages=()
	for list in "$LISTS"/*.install; do packages+=("$(basename "$list" .install)"); done
	files_of "${packages[@]}" 2>&1 | sort >listed
	find /srv/cf ! -type d ! -name README.md | sort >installed
	same "of none, of two, or missing" "$(diff listed installed)" ''
	for list in "${packages[@]}"; do
		grep -qx "Package: $list" "$LISTS/control" || failed "no package is called $list"
	done
}
it every_file_is_of_one_package

# A host that has four of them and nothing else.
the_smallest_set_runs() {
	only_for root
	local file
	for file in $(files_of cf-spawn cf-netstack cf-dns cf-proxy); do
		mkdir -p "few${file%/*}"
		cp -d "$file" "few$file"
	done
	unshare -m sh -c 'mount --bind few/srv/cf /srv/cf && exec /srv/cf/bin/cf-spawn --run-as-root -- "$@"' \
	    sh curl -sS http://v4.example.test/hello >out
	same page "$(cat out)" hello
	status 125 unshare -m sh -c 'mount --bind few/srv/cf /srv/cf &&
		exec /srv/cf/bin/cf-spawn --run-as-root -c x.pcapng -- true' 2>err
	like line "$(cat err)" 'cannot find the helper .*cf-capture'
}
it the_smallest_set_runs

no_file_is_set_user_id() {
	same files "$(find /srv/cf -perm /6000)" ''
}
it no_file_is_set_user_id

units_are_understood() {
	only_for root
	command -v systemd-analyze >/dev/null || cannot "there is no systemd-analyze here"
	local unit
	for unit in "$LISTS"/../man/examples/*.service; do
		sed 's|/usr/bin/cf-|/srv/cf/bin/cf-|' "$unit" >"${unit##*/}"
		MANPATH=/srv/cf/share/man systemd-analyze verify "./${unit##*/}" >said 2>&1 ||
			failed "status $? of systemd-analyze verify: $(cat said)"
		unlike "$unit" "$(cat said)" "${unit##*/}:"
	done
}
it units_are_understood

done_testing
