#!/bin/bash
# completions.sh - what the shells complete, from the files that are installed; and pages of --help.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_host_net "$@"
only_cf

SHARE=/srv/cf/share
export PATH=/srv/cf/bin:$PATH HOME=$T/home TERM=dumb

# Completions of the words, one a line; the last is being typed.
in_bash() {
	bash --norc -c '
		. /usr/share/bash-completion/bash_completion
		compopt() { :; }
		. "$0/bash-completion/completions/$1"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
		fn=$(complete -p "$1") fn=${fn#*-F } COMPREPLY=()
		${fn%% *} "$1" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
		printf "%s\n" "${COMPREPLY[@]}"' "$SHARE" "$@" | sort -u
}
in_fish() {
	XDG_DATA_DIRS=$SHARE:/usr/share fish -c "complete -C '$*'" | cut -f 1 | sort -u
}

completes() {	# SHELL WANTED WORD ...
	local shell=$1 wanted=$2
	only_for user
	shift 2
	same "$*" "$("in_$shell" "$@" | xargs)" "$wanted"
}
for shell in bash fish; do
	it completes $shell "--block-metadata" cf-spawn --block-m
	it completes $shell "real synthetic" cf-spawn --dns-mode ""
	it completes $shell "--no-offline" cf-spawn -v --no-of
	it completes $shell "nsenter" cf-spawn -c x -- nsente
	it completes $shell "--tcp-path" childflow --tcp-p
	it completes $shell "policy-diff policy-test" cf-doctor poli
	it completes $shell "--block-metadata" cf-doctor why --block-m
	it completes $shell "html json markdown text" cf-doctor report --format ""
	it completes $shell "allow block check" cf-proxy --policy --quic ""
	it completes $shell "--netns" cf-capture --netn
done

# One word after the other is completed in a zsh that runs on a terminal.
zsh_completes() {
	only_for user
	cat >zsh.exp <<-'END'
	set timeout 20
	log_user 0
	set stty_init "columns 200"
	spawn -noecho zsh -f -i
	send "fpath=([lindex $argv 0] \$fpath); autoload -Uz compinit; compinit -u -D\r"
	send "setopt no_beep; unsetopt zle_bracketed_paste; PS1='re''ady> '\r"
	expect "ready> "
	foreach {line want} [lrange $argv 1 end] {
		send "$line\t"
		expect {
			-ex $want	{ puts "$line: $want" }
			timeout		{ puts "$line: not $want but $expect_out(buffer)"; exit 1 }
		}
		send "\025\r"
		expect "ready> "
	}
	END
	expect zsh.exp "$SHARE/zsh/site-functions" "$@"
}
it zsh_completes "cf-spawn --block-m" block-metadata "cf-spawn --dns-mode sy" synthetic \
	"cf-spawn --no-block-p" no-block-private "cf-spawn -v -- nsent" nsenter \
	"childflow --help pro" profile "cf-doctor policy-t" policy-test \
	"cf-doctor why --block-m" block-metadata "cf-doctor report --format mark" markdown \
	"cf-proxy --quic che" check

a_page_of_help_fits_a_screen() {	# PROGRAM ...
	local pages page
	only_for user
	pages=$("$@" --help | sed -n 's/^  --help \([a-z]*\) .*/\1/p')
	for page in '' $pages; do
		[ "$page" != all ] || continue
		# shellcheck disable=SC2086
		"$@" --help $page >text
		[ "$(wc -l <text)" -le 24 ] || failed "$* --help $page has $(wc -l <text) lines"
		[ -s text ] || failed "$* --help $page says nothing"
		! grep -q $'\033' text || failed "$* --help $page has colours"
	done
	case $pages in
	*all) "$@" --help all | grep -q '^usage: ' ;;
	esac
}
for p in cf-spawn cf-netstack cf-dns cf-proxy "cf-proxy --listen 127.0.0.1:1" cf-capture cf-upstream \
    cf-doctor "cf-doctor why" "cf-doctor policy-test" "cf-doctor report"; do
	# shellcheck disable=SC2086
	it a_page_of_help_fits_a_screen $p
done

help_is_coloured_on_a_terminal_only() {
	local esc=$'\033'
	only_for user
	like colours "$(TERM=xterm script -qec 'cf-spawn --help' /dev/null)" "$esc"
	unlike NO_COLOR "$(TERM=xterm NO_COLOR=1 script -qec 'cf-spawn --help' /dev/null)" "$esc"
	unlike dumb "$(TERM=dumb script -qec 'cf-spawn --help' /dev/null)" "$esc"
}
it help_is_coloured_on_a_terminal_only

every_page_renders() {
	local page text
	only_for user
	export MANPAGER=cat MANWIDTH=80
	for page in /srv/cf/share/man/man*/*; do
		text=$(man -l "$page" 2>err) || failed "man -l $page: status $?, $(cat err)"
		mandoc -Tlint -Wwarning "$page" || failed "mandoc has found that"
		like "$page" "$text" "NAME.*DESCRIPTION.*SEE ALSO"
	done
}
it every_page_renders

done_testing
