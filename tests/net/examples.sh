#!/bin/bash
# examples.sh - the examples of the manual pages, as they stand there, and the programs in them.
#
# A block or a line of a page that has the comment `run: WHAT' before it is a case.  Lines after a
# prompt are the script, with `$' for the user's pass and with `#' for root's; other lines are what it
# prints.  Without a prompt all is the script.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf

export PATH=/srv/cf/bin:$PATH
EXAMPLES=/srv/cf/share/doc/childflow/examples

# The names that the pages use are those of the server.
make_names() {
	sed -e 's/203\.0\.113\.53/203.0.113.20/; s/2001:db8::53/2001:db8::20/' -e "s|$T/dns.log|$T/names.log|" \
	    "$T/dnsmasq.conf" >"$T/names.conf"
	echo 'host-record=api.example.net,203.0.113.20' >>"$T/names.conf"
	printf 'host-record=%s,203.0.113.10\n' example.com www.example.com example.org www.example.org \
	    wiki.example >>"$T/names.conf"
	serve dnsmasq -k -C "$T/names.conf" --user=root --group=
	must until_true 20 listening 203.0.113.20 53
	echo 'nameserver 203.0.113.20' >/etc/resolv.conf
}

# `ssh bastion' is the server, and childflow is installed there.
make_bastion() {
	mkdir -p /run/sshd "$T/ssh"
	must ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host"
	make_for_caller "$T/client"
	must as_caller ssh-keygen -q -t ed25519 -N '' -f "$T/client/key"
	cp "$T/client/key.pub" "$T/ssh/authorized"
	cat >"$T/ssh/config" <<-END
	Port 2222
	ListenAddress 198.51.100.1
	HostKey $T/ssh/host
	PidFile none
	AuthorizedKeysFile $T/ssh/authorized
	SetEnv PATH=/srv/cf/bin:/usr/bin:/bin
	StrictModes no
	UsePAM no
	PasswordAuthentication no
	PermitRootLogin yes
	END
	cat >/etc/ssh/ssh_config <<-END
	Host bastion
	HostName 198.51.100.1
	Port 2222
	User root
	IdentityFile $T/client/key
	StrictHostKeyChecking no
	UserKnownHostsFile /dev/null
	LogLevel ERROR
	END
	serve /usr/sbin/sshd -D -e -f "$T/ssh/config"
	must until_true 10 listening 198.51.100.1 2222
}

make_names
make_bastion

# blocks PAGE: "WHAT<tab>LINE" of each line of its examples.
blocks() {
	awk '
	function plain(l) {
		gsub(/\\e/, "\001", l)
		gsub(/\\-/, "-", l)
		gsub(/\\&/, "", l)
		gsub(/\\\(aq/, "\047", l)
		gsub(/\001/, "\\", l)
		return l
	}
	/^\.\\" run: / { what = substr($0, 9); next }
	what != "" && /^\.Dl / { print what "\t" plain(substr($0, 5)); what = "" }
	what != "" && /^\.Ed/ { what = "" }
	what != "" && inside { print what "\t" plain($0) }
	{ inside = /^\.Bd / || (inside && what != "") }' "$1"
}

# Splits stdin into script and wanted output; the prompt found is in the file prompt.
split_block() {
	awk '
	/^[$#] / || (NR == 1 && !/^[$#] /) { if (/^[$#] /) { prompt = substr($0, 1, 1); $0 = substr($0, 3) }
		else prompt = "-"; if (NR == 1) print prompt >"prompt"; more = 1 }
	more || prompt == "-" { print >"script"; more = /[\\|]$/; next }
	{ print >"wanted" }'
}

# What is started in the background with --listen has to listen before the next line.
script_run() {
	sed -E 's/^(.*--listen ([0-9.]+):([0-9]+).*&)$/\1\nuntil (: <\/dev\/tcp\/\2\/\3) 2>\/dev\/null; do sleep 0.05; done/' \
	    script >run.sh
	# shellcheck disable=SC2016
	echo 'rc=$?; kill $(jobs -p) 2>/dev/null; wait; exit $rc' >>run.sh
	as_caller timeout -k 5 60 bash ./run.sh
}

# A whole program: a dialler.
refuses_all() {
	mv script refuse.py
	status 7 cf --proxy-helper 'python3 refuse.py' --dns-direct -- curl -sS http://203.0.113.10/hello 2>err
}

an_example_of() {	# PAGE WHAT
	cp "$EXAMPLES"/* .
	blocks "/srv/cf/share/man/man${1##*.}/$1" | grep -F "$2	" | cut -f 2- >block
	split_block <block
	case $PASS$(cat prompt) in
	root[-$] | user\#) exit 78 ;;
	user-) refuses_all; return ;;
	esac
	script_run >got 2>err </dev/null || failed "status $? of: $(cat script); it said: $(cat got err)"
	[ ! -e wanted ] || same "$(cat script)" "$(cat got)" "$(cat wanted)"
}
while IFS=: read -r page what; do
	it an_example_of "${page##*/}" "$what"
done < <(grep -o '^\.\\" run: .*' /srv/cf/share/man/man*/*.[1-9] | sed 's/\.\\" run: //' | grep -v childflow.1)

# README.md: its blocks that begin with a prompt, with what goes to standard error among the rest.
readme_blocks() {
	awk '
	/^    / && !inside { shown = /^    \$ /; n += shown; inside = 1 }
	!/^    / { inside = 0 }
	inside && shown { print n "\t" substr($0, 5) }' /srv/cf/share/doc/childflow/README.md
}

an_example_of_the_readme() {	# NUMBER
	only_for user
	readme_blocks | grep "^$1	" | cut -f 2- >block
	split_block <block
	script_run >got 2>&1 </dev/null || :
	same "$(cat script)" "$(sed 's/ after [0-9]* ms/ after 0 ms/' got)" "$(cat wanted)"
}
for n in $(readme_blocks | cut -f 1 | sort -u); do
	it an_example_of_the_readme "$n"
done

# ---- the programs, beyond what the pages show ----

a_dialler_of_ones_own_carries_much() {
	only_for user
	cp "$EXAMPLES"/* .
	head -c 3000000 /dev/urandom >"$T/www/much"
	cf --proxy-helper ./proxy.py --dns-direct -- curl -sS -m 60 http://203.0.113.10/much | cmp - "$T/www/much"
	cf --proxy-helper ./proxy.py --dns-direct -- curl -sS -m 60 -T - http://203.0.113.10/put/own <"$T/www/much"
	cmp "$T/www/much" "$T/put/own"
	rm -f "$T/put/own"
	status 7 cf --proxy-helper ./proxy.py --dns-direct -- curl -sS http://203.0.113.10:1/ 2>err
	status 7 cf --proxy-helper ./proxy.py --deny-cidr 203.0.113.10 --dns-direct -- curl -sS http://203.0.113.10/ 2>err
	like policy "$(cat err)" 'blocked by .--deny-cidr'
}
it a_dialler_of_ones_own_carries_much

names_of_ones_own_are_names() {
	only_for user
	cp "$EXAMPLES"/* .
	own() { cf --dns-helper './dns.py db.test=203.0.113.10' "$@"; }
	same page "$(own -- curl -sS http://db.test/hello)" hello
	same upper "$(own -- dig +short DB.TEST)" 203.0.113.10
	same none "$(own -- dig +short db.test AAAA)" ''
	like unknown "$(own -- dig www.example.org)" NXDOMAIN
	same ruled "$(own --deny-domain db.test -- dig +short db.test)" ''
}
it names_of_ones_own_are_names

# What a session was, it is again: with the real helper, and not with one that says something else.
a_record_is_played_again() {
	only_for user
	cp "$EXAMPLES"/* .
	same page "$(cf --dns-helper './record.py names.rec cf-dns' -- curl -sS http://www.example.org/hello)" hello
	as_caller timeout 30 ./replay.py names.rec cf-dns
	status 1 as_caller timeout 30 ./replay.py names.rec ./dns.py www.example.org=203.0.113.99 >said
	like differs "$(cat said)" 'message 17 of flow'
	same stub "$(cf --dns-helper './record.py stub.rec ./dns.py db.test=203.0.113.10' -- \
	    curl -sS http://db.test/hello)" hello
	as_caller timeout 30 ./replay.py stub.rec ./dns.py db.test=203.0.113.10
	same page "$(cf --proxy-helper './record.py proxy.rec cf-proxy' --dns-direct -- \
	    curl -sS http://203.0.113.10/hello)" hello
	[ -s proxy.rec ] || failed "nothing was recorded"
}
it a_record_is_played_again

done_testing
