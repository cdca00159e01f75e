#!/bin/bash
# jobs.sh - at a terminal, cf-spawn is not there: keys, stops and sizes reach the command.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"

# at_terminal SCRIPT: play an expect script; $cf in it is the command line up to the command.
at_terminal() {
	local become=
	[ "$PASS" = root ] || become="$BECOME_USER "
	cf_words
	case $WITH in
	"")     HOW="${CF_WORDS[*]} --" ;;
	native) HOW="env" ;;
	pasta)  cannot "not for pasta" ;;
	esac
	{
		cat <<-END
		set timeout 20
		set cf "$HOW"
		set become "$become"
		set counter "/usr/bin/python3 $T/counter.py"
		set env(HOME) "$T/home"
		set env(PS1) "outer> "
		set env(TERM) dumb
		proc want {text} {
			expect {
				-re \$text { return }
				timeout { puts "\nno '\$text' came"; exit 1 }
				eof { puts "\nended before '\$text' came"; exit 1 }
			}
		}
		proc ends {code} {
			expect {
				eof { }
				timeout { puts "\nit does not end"; exit 1 }
			}
			set got [lindex [wait] 3]
			if {\$got != \$code} { puts "\nstatus \$got, wanted \$code"; exit 1 }
		}
		END
		cat
	} >terminal.exp
	timeout -k 5 60 expect -f terminal.exp || failed "at the terminal: see above"
}

a_key_reaches_the_command_once() {	# CHARACTER NAME
	at_terminal <<-END
	eval spawn \$become \$cf \$counter
	want ready
	send "$1"
	want "$2 here"
	send "middle\r"
	want "line middle"
	send "end\r"
	expect {
		"$2 here" { puts "\ncame twice"; exit 1 }
		-re "over" { }
		timeout { puts "\nno end"; exit 1 }
	}
	ends 0
	END
}
it a_key_reaches_the_command_once '\003' INT
it a_key_reaches_the_command_once '\034' QUIT

ctrl_c_ends_an_ordinary_command() {
	at_terminal <<-'END'
	eval spawn $become bash --norc --noprofile -i
	want "outer> "
	send "$cf sh -c 'echo i am up; exec sleep 60'\r"
	want "\ni am up"
	send "\003"
	want "outer> "
	send "echo status \$?\r"
	want "status 130"
	send "exit 0\r"
	ends 0
	END
}
it ctrl_c_ends_an_ordinary_command

ctrl_z_stops_and_fg_goes_on() {
	at_terminal <<-END
	eval spawn \$become bash --norc --noprofile -i
	want "outer> "
	send "\$cf \$counter\r"
	want "\nready"
	foreach word {one two three} {
		send "\$word\r"
		want "\nline \$word"
		send "\032"
		want "Stopped"
		want "outer> "
		send "jobs\r"
		want "Stopped"
		want "outer> "
		send "fg\r"
		want "CONT here"
	}
	send "end\r"
	want "\nover"
	want "outer> "
	send "echo status \\\$?\r"
	want "status 0"
	send "exit 0\r"
	ends 0
	END
}
it ctrl_z_stops_and_fg_goes_on

# A run that was stopped goes on with its network.
a_stopped_run_keeps_its_network() {
	at_terminal <<-'END'
	eval spawn $become bash --norc --noprofile -i
	want "outer> "
	send "$cf bash -c 'trap \"echo goes on\" CONT; echo up; read x; curl -sS http://203.0.113.10/hello'\r"
	want "\nup"
	send "\032"
	want "Stopped"
	want "outer> "
	send "fg\r"
	want "\ngoes on"
	send "now\r"
	want "\nhello\r\n"
	want "outer> "
	send "exit 0\r"
	ends 0
	END
}
it a_stopped_run_keeps_its_network

a_background_run_does_not_take_the_terminal() {
	at_terminal <<-'END'
	eval spawn $become bash --norc --noprofile -i
	want "outer> "
	send "$cf sh -c 'sleep 0.3; exit 7' &\r"
	want "outer> "
	send "echo still here\r"
	want "\nstill here"
	send "wait %1; echo status \$?\r"
	want "status 7"
	send "exit 0\r"
	ends 0
	END
}
it a_background_run_does_not_take_the_terminal

the_window_size_is_seen() {
	at_terminal <<-'END'
	eval spawn $become $cf bash --norc --noprofile -i
	want "outer> "
	stty rows 33 columns 111 < $spawn_out(slave,name)
	send "stty size\r"
	want "\n33 111\r"
	send "trap 'echo size changed' WINCH\r"
	want "outer> "
	stty rows 44 columns 122 < $spawn_out(slave,name)
	send "stty size\r"
	want "\n44 122\r"
	send "exit 0\r"
	ends 0
	END
}
it the_window_size_is_seen

an_interactive_shell_controls_its_jobs() {
	at_terminal <<-'END'
	eval spawn $become $cf bash --norc --noprofile -i
	expect {
		"no job control" { puts "\nno job control"; exit 1 }
		"outer> " { }
		timeout { exit 1 }
	}
	send "$counter\r"
	want "\nready"
	send "\032"
	want "Stopped"
	want "outer> "
	send "jobs\r"
	want "Stopped"
	want "outer> "
	send "fg\r"
	want "CONT here"
	send "\003"
	want "INT here"
	send "end\r"
	want "\nover"
	want "outer> "
	send "echo status \$?\r"
	want "status 0"
	send "sleep 40 | sleep 40 &\r"
	want "outer> "
	send "kill %1; wait; curl -sS http://203.0.113.10/hello\r"
	want "\nhello\r\n"
	send "exit 7\r"
	ends 7
	END
}
it an_interactive_shell_controls_its_jobs

terminal_settings_are_left_as_they_were() {
	at_terminal <<-'END'
	eval spawn $become bash --norc --noprofile -i
	want "outer> "
	send "before=\$(stty -g); $cf sh -c 'stty -g >seen'; \[ \"\$before\" = \"\$(stty -g)\" \] && \[ \"\$before\" = \"\$(cat seen)\" \] && echo is the same\r"
	want "\nis the same"
	send "exit 0\r"
	ends 0
	END
}
it terminal_settings_are_left_as_they_were

losing_the_terminal_ends_the_run() {
	only_cf
	at_terminal <<-'END'
	eval spawn $become $cf sh -c {{echo ready; sleep 60}}
	want "ready"
	close
	wait
	exit 0
	END
	until_true 5 nothing_runs
}
it losing_the_terminal_ends_the_run

done_testing
