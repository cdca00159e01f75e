# completions.awk - completions for bash, zsh and fish out of the programs' tables of options.
#
#	awk -v bin=DIR -v out=DIR -f completions.awk PROGRAM ...
#
# Each program in bin says its table by "--help options" (shared/cli_help.c); what may follow as a first
# word (cf-doctor report) is in its usage lines.  Writes out/bash/PROGRAM, out/zsh/_PROGRAM and
# out/fish/PROGRAM.fish; makes no directory.  What a value may be follows from what --help calls it.
# SPDX-License-Identifier: MIT

BEGIN {
	FS = "\t"
	for (p = 1; p < ARGC; p++) {
		program = ARGV[p]
		table_read(program)
		names = program == "cf-spawn" ? program " childflow" : program
		bash_write(program, names, out "/bash/" program)
		zsh_write(program, names, out "/zsh/_" program)
		fish_write(program, names, out "/fish/" program ".fish")
	}
	exit failed
}

# ---- tables ----

# n[command], and of each option 1 to n: letter, name, value, no, help [command, i]; subs[1..nsubs].
function table_read(program,	i) {
	nsubs = 0
	split("", n)
	split("", known)
	split("", pages)
	split("", about)
	command_read(program, bin "/" program, "")
	if (program == "cf-proxy")
		command_read(program, bin "/cf-listen", "")
	for (i = 1; i <= nsubs; i++)
		command_read(program, bin "/" program " " subs[i], subs[i])
}

function command_read(program, call, sub_,	line, f, w, i, any) {
	call = call " --help options"
	while ((call | getline line) > 0) {
		any = 1
		split(line, f, "\t")
		if (f[1] == "usage" && sub_ == "" && split(f[2], w, " ") > 1 && w[1] == program &&
		    w[2] ~ /^[a-z-]+$/ && w[2] !~ /^-/) {
			subs[++nsubs] = w[2]
		} else if (f[1] == "about") {
			if (!(sub_ in about))
				about[sub_] = f[2]
		} else if (f[1] == "page") {
			pages[sub_] = pages[sub_] f[2] " "
		} else if (f[1] == "option" && !((sub_, f[3]) in known)) {
			known[sub_, f[3]] = 1
			i = ++n[sub_]
			letter[sub_, i] = f[2]
			name[sub_, i] = f[3]
			value[sub_, i] = f[4]
			no[sub_, i] = f[5]
			help[sub_, i] = f[6]
		}
	}
	close(call)
	if (!any) {
		print "completions.awk: no table from: " call > "/dev/stderr"
		failed = 1
	}
}

# Words that a value may be; "" where there is no list of them.
function choices(s, i,	v, h) {
	v = value[s, i]
	h = help[s, i]
	if (name[s, i] == "help")
		return pages[s] == "" ? "" : pages[s] "all"
	if (v ~ /^[a-z0-9-]+(\|[a-z0-9-]+)+$/) {
		gsub(/\|/, " ", v)
		return v
	}
	if (v == "FORM")
		return "text" (h ~ /markdown/ ? " markdown" : "") " json" (h ~ /html/ ? " html" : "")
	if (name[s, i] == "seal")
		return "pid ipc sockets files env"
	return ""
}

# file, directory, command, user, words, any; "-": it has no value.
function kind(s, i,	v) {
	v = value[s, i]
	if (choices(s, i) != "")
		return "words"
	if (v == "-")
		return "-"
	if (v ~ /FILE|PATH|TERMINAL/)
		return "file"
	if (v == "DIR")
		return "directory"
	if (v == "COMMAND")
		return "command"
	if (name[s, i] == "user")
		return "user"
	return "any"
}

# -c|--capture, with the separator given.
function forms(s, i, between) {
	return (letter[s, i] == "-" ? "" : "-" letter[s, i] between) "--" name[s, i]
}

# All forms of options of a kind; "*": of all that take a value.
function forms_of(s, wanted, between,	i, k, text) {
	for (i = 1; i <= n[s]; i++) {
		k = kind(s, i)
		if (k == wanted || (wanted == "*" && k != "-" && name[s, i] != "help"))
			text = text (text == "" ? "" : between) forms(s, i, between)
	}
	return text
}

function names_of(s, field,	i, text) {
	for (i = 1; i <= n[s]; i++)
		if (field == "name")
			text = text " --" name[s, i] (letter[s, i] == "-" ? "" : " -" letter[s, i])
		else if (no[s, i] != "-")
			text = text " --" no[s, i]
	return substr(text, 2)
}

# A part of a function's name.
function plain(text) {
	gsub(/[^a-z]/, "_", text)
	return text
}

function quoted(text) {
	gsub(/'/, "'\\''", text)
	return "'" text "'"
}

# ---- bash ----

function bash_values(s, file,	i, k, kinds, c) {
	print "\tcase $1 in" > file
	for (i = 1; i <= n[s]; i++)
		if (kind(s, i) == "words")
			printf "\t%s) words %s ;;\n", forms(s, i, " | "), quoted(choices(s, i)) > file
	c = split("file directory command user any", kinds, " ")
	for (k = 1; k <= c; k++)
		if (forms_of(s, kinds[k], "|") != "")
			printf "\t%s) %s ;;\n", forms_of(s, kinds[k], " | "), bash_action[kinds[k]] > file
	print "\t*) return 1 ;;\n\tesac" > file
}

# The words from where the command begins are not ours.
function bash_command(file) {
	print "\twhile ((i < COMP_CWORD)); do\n\t\tcase ${COMP_WORDS[i]} in" > file
	printf "\t\t%s)\n", forms_of("", "*", " | ") > file
	print "\t\t\t[[ ${COMP_WORDS[i + 1]} != = ]] || ((i++))\n\t\t\t((i += 2)) ;;" > file
	print "\t\t--) ((i++)); break ;;\n\t\t-*) ((i++)) ;;\n\t\t*) break ;;\n\t\tesac\n\tdone" > file
	print "\tif ((i <= COMP_CWORD)) && [[ $prev != --help && $prev != -h ]] &&" > file
	print "\t    { ((i < COMP_CWORD)) || [[ $prev == -- || $cur != -* ]]; }; then" > file
	print "\t\t! declare -F _command_offset >/dev/null || _command_offset \"$i\"" > file
	print "\t\treturn\n\tfi" > file
}

function bash_write(program, names, file,	f, i, s) {
	f = "_" plain(program)
	bash_action["file"] = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")"
	bash_action["directory"] = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")"
	bash_action["command"] = "mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")"
	bash_action["user"] = "mapfile -t COMPREPLY < <(compgen -u -- \"$cur\")"
	bash_action["any"] = "COMPREPLY=()"
	print "# bash completion for " names ", made from the table of its options; not to be edited" > file
	for (i = 0; i <= nsubs; i++) {
		s = i == 0 ? "" : subs[i]
		printf "\n%s%s_value() {\t# OPTION: what may follow it; false: nothing\n", f,
		    s == "" ? "" : "_" plain(s) > file
		bash_values(s, file)
		printf "}\n\n%s%s_options() {\n", f, s == "" ? "" : "_" plain(s) > file
		printf "\twords %s\n\t[[ $cur != --no* ]] || words \"%s $*\"\n}\n",
		    quoted(names_of(s, "name")), names_of(s, "no") > file
	}
	printf "\n%s() {\n\tlocal cur=$2 prev i=1 part=%s\n\tCOMPREPLY=()\n", f, quoted(f) > file
	print "\twords() { mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }" > file
	print "\tprev=${COMP_WORDS[COMP_CWORD - 1]}" > file
	print "\t[[ $cur != = ]] || cur=" > file
	print "\t[[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}" > file
	if (nsubs > 0) {
		printf "\tcase ${COMP_WORDS[1]} in\n" > file
		for (i = 1; i <= nsubs; i++)
			printf "\t%s) ((COMP_CWORD == 1)) || part=%s_%s ;;\n", subs[i], f, plain(subs[i]) > file
		print "\tesac" > file
	} else if (program == "cf-spawn") {
		bash_command(file)
	}
	print "\t\"${part}_value\" \"$prev\" && return" > file
	print "\tif [[ $cur == -* ]]; then\n\t\t\"${part}_options\"" > file
	if (nsubs > 0)
		printf "\telif ((COMP_CWORD == 1)); then\n\t\twords %s\n", quoted(sub_names()) > file
	print "\telse\n\t\tcompopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\tfi\n}" > file
	print "complete -F " f " " names > file
	close(file)
}

function sub_names(	i, text) {
	for (i = 1; i <= nsubs; i++)
		text = text (i > 1 ? " " : "") subs[i]
	return text
}

# ---- zsh ----

# Within a spec: no bare ] and : .
function zsh_text(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/\[/, "\\[", text)
	gsub(/\]/, "\\]", text)
	gsub(/:/, "\\:", text)
	return text
}

function zsh_spec(s, i,	k, tail, names) {
	k = kind(s, i)
	tail = "[" zsh_text(help[s, i]) "]"
	if (k != "-")
		tail = tail (name[s, i] == "help" ? "::" : ":") zsh_text(value[s, i] == "-" ? "page" : value[s, i]) ":" \
		    (k == "words" ? "(" choices(s, i) ")" : zsh_action[k])
	# The shell puts both forms before what is quoted.
	names = name[s, i] (k == "-" || name[s, i] == "help" ? "" : "=")
	if (letter[s, i] == "-")
		return "'*'--" names quoted(tail)
	return "'*'{-" letter[s, i] (k == "-" || name[s, i] == "help" ? "" : "+") ",--" names "}" quoted(tail)
}

function zsh_specs(s, file,	i) {
	print "\tspecs=(" > file
	for (i = 1; i <= n[s]; i++)
		print "\t\t" zsh_spec(s, i) > file
	print "\t)\n\t[[ $PREFIX != --no* ]] || specs+=(" > file
	for (i = 1; i <= n[s]; i++)
		if (no[s, i] != "-")
			printf "\t\t%s\n", quoted("--" no[s, i] "[take --" name[s, i] " back]") > file
	print "\t)" > file
}

function zsh_write(program, names, file,	i) {
	zsh_action["file"] = "_files"
	zsh_action["directory"] = "_files -/"
	zsh_action["command"] = "_cmdstring"
	zsh_action["user"] = "_users"
	zsh_action["any"] = " "
	print "#compdef " names > file
	print "# made from the table of its options; not to be edited" > file
	printf "\n_%s() {\n\tlocal -a specs\n", plain(program) > file
	if (nsubs > 0) {
		print "\tlocal -a subs=(" > file
		for (i = 1; i <= nsubs; i++)
			printf "\t\t%s\n", quoted(subs[i] ":" about[subs[i]]) > file
		print "\t)\n\tif (( CURRENT > 2 )); then\n\t\tcase $words[2] in" > file
		for (i = 1; i <= nsubs; i++)
			printf "\t\t%s) shift words; (( CURRENT-- )); _%s_%s; return ;;\n", subs[i],
			    plain(program), plain(subs[i]) > file
		print "\t\tesac\n\tfi\n\t(( CURRENT > 2 )) || _describe command subs" > file
	}
	zsh_specs("", file)
	if (program == "cf-spawn")
		print "\t_arguments -s -S -A '-*' $specs '(-)1: :_command_names -e' '*:: :_normal'" > file
	else
		print "\t_arguments -s -S $specs '*:file:_files'" > file
	print "}" > file
	for (i = 1; i <= nsubs; i++) {
		printf "\n_%s_%s() {\n\tlocal -a specs\n", plain(program), plain(subs[i]) > file
		zsh_specs(subs[i], file)
		print "\t_arguments -s -S $specs '*:file:_files'\n}" > file
	}
	printf "\n_%s \"$@\"\n", plain(program) > file
	close(file)
}

# ---- fish ----

function fish_option(program, s, i, when, file,	k, takes) {
	k = kind(s, i)
	if (k == "-" || name[s, i] == "help")
		takes = " -f"
	else
		takes = k == "words" ? " -x -a " quoted(choices(s, i)) : fish_action[k]
	printf "complete -c %s%s%s -l %s%s -d %s\n", program, when,
	    (letter[s, i] == "-" ? "" : " -s " letter[s, i]), name[s, i], takes,
	    fish_quoted(help[s, i]) > file
}

# Its quotes know \\ and \'.
function fish_quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/'/, "\\'", text)
	return "'" text "'"
}

# The words of the command that cf-spawn is to run, the last of which is being typed.
function fish_rest(file) {
	print "function __cf_spawn_rest" > file
	print "\tset -l words (commandline -opc) (commandline -ct)" > file
	print "\tset -e words[1]\n\tset -l over 0\n\twhile set -q words[2]\n\t\tswitch $words[1]" > file
	printf "\t\t\tcase %s\n\t\t\t\tset -e words[1..2]\n", forms_of("", "*", " ") > file
	print "\t\t\tcase -- --\n\t\t\t\tset -e words[1]\n\t\t\t\tset over 1\n\t\t\t\tbreak" > file
	print "\t\t\tcase '-*'\n\t\t\t\tset -e words[1]\n\t\t\tcase '*'\n\t\t\t\tset over 1\n\t\t\t\tbreak\n\t\tend\n\tend" > file
	print "\tset -q words[1]; or return 1" > file
	print "\tif test $over = 0; and string match -q -- '-*' $words[1]\n\t\treturn 1\n\tend" > file
	print "\tset -l typed $words[-1]\n\tset -e words[-1]" > file
	print "\tstring join -- ' ' (string escape -- $words) \"$typed\"\n\treturn 0\nend\n" > file
}

function fish_write(program, names, file,	i, s, when) {
	fish_action["file"] = " -r -F"
	fish_action["directory"] = " -x -a '(__fish_complete_directories)'"
	fish_action["command"] = " -x -a '(__fish_complete_command)'"
	fish_action["user"] = " -x -a '(__fish_complete_users)'"
	fish_action["any"] = " -x"
	print "# fish completion for " program ", made from the table of its options; not to be edited\n" > file
	when = nsubs > 0 ? " -n __fish_use_subcommand" : ""
	if (program == "cf-spawn") {
		fish_rest(file)
		when = " -n 'not __cf_spawn_rest >/dev/null'"
		print "complete -c cf-spawn -n '__cf_spawn_rest >/dev/null' -x -a '(complete -C \"$(__cf_spawn_rest)\")'" > file
		print "complete -c childflow -w cf-spawn" > (out "/fish/childflow.fish")
		close(out "/fish/childflow.fish")
	}
	for (i = 1; i <= nsubs; i++)
		printf "complete -c %s -n __fish_use_subcommand -f -a %s -d %s\n", program, subs[i],
		    fish_quoted(about[subs[i]]) > file
	for (i = 1; i <= n[""]; i++)
		fish_option(program, "", i, when, file)
	for (s = 1; s <= nsubs; s++)
		for (i = 1; i <= n[subs[s]]; i++)
			fish_option(program, subs[s], i, " -n '__fish_seen_subcommand_from " subs[s] "'", file)
	for (i = 1; i <= n[""]; i++)
		if (no["", i] != "-")
			printf "complete -c %s -n 'string match -q -- \"--no*\" (commandline -ct)' -f -l %s -d %s\n",
			    program, no["", i], quoted("take --" name["", i] " back") > file
	close(file)
}
