#!/bin/bash
# report.sh - what is said of a run that is over: cf-doctor report, cf-spawn --report and --summary.
#
# The page is looked at in a browser where there is one (Debian: chromium-headless-shell, or
# chromium); it is no dependency, because it is larger than all others together.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
in_world "$@"
only_cf_here() { [ -z "$WITH" ] || { skip all "says nothing about $WITH"; done_testing; }; }
only_cf_here

GOLDEN=$SOURCE/tests/golden
SCHEMA=/srv/cf/share/childflow
DOCTOR=/srv/cf/bin/cf-doctor
report() { (cd "$GOLDEN" && as_caller "$DOCTOR" report "$@"); }
valid() {	# SCHEMA <JSON
	/usr/bin/python3 -c '
import json, sys, jsonschema
jsonschema.Draft7Validator.check_schema(json.load(open(sys.argv[1])))
jsonschema.validate(json.load(sys.stdin), json.load(open(sys.argv[1])))' "$SCHEMA/$1.schema.json" 2>&1
}

the_report_is_the_golden_one() {	# FORM
	report --format "$1" flowlog.jsonl >out
	diff "$GOLDEN/report.$1" out
}
it the_report_is_the_golden_one text
it the_report_is_the_golden_one markdown
it the_report_is_the_golden_one json

the_golden_log_is_what_its_script_prints() {
	/usr/bin/python3 "$GOLDEN/make" | cmp - "$GOLDEN/flowlog.jsonl"
}
it the_golden_log_is_what_its_script_prints

spawn_tells_it_too() {
	(cd "$GOLDEN" && as_caller "$CF" --report flowlog.jsonl --report-format markdown) >out
	cmp out "$GOLDEN/report.markdown"
	(cd "$GOLDEN" && as_caller "$CF" --report flowlog.jsonl) >out
	cmp out "$GOLDEN/report.text"
	status 125 as_caller "$CF" --report x -- true 2>err
	like message "$(cat err)" 'leave the command out'
	status 125 as_caller "$CF" --report x --report-format pdf 2>err
	status 1 as_caller "$CF" --report /nonexistent 2>err
	like message "$(cat err)" 'cannot read /nonexistent: No such file'
}
it spawn_tells_it_too

json_is_as_its_schema_says() {
	report --format json flowlog.jsonl | valid report
	report --format json /dev/null | valid report
	report --format json --lenient make | valid report
}
it json_is_as_its_schema_says

standard_input_is_a_log_too() {
	report - <"$GOLDEN/flowlog.jsonl" >out
	same "but for its name" "$(diff out "$GOLDEN/report.text" | grep -c '^[<>]')" 2
	head -c 0 "$GOLDEN/flowlog.jsonl" | report - >out
	like empty "$(cat out)" 'total: 0'
	as_caller "$DOCTOR" report - <&- >out 2>err
	like "closed standard input" "$(cat out)" 'total: 0'
}
it standard_input_is_a_log_too

a_last_line_without_its_end_is_said() {
	head -c -20 "$GOLDEN/flowlog.jsonl" >log
	as_caller "$DOCTOR" report log >out 2>err
	like said "$(cat err)" 'log:43: the last line has no end and is not counted'
	like counted "$(cat out)" 'total: 42'
	like told "$(cat out)" 'truncated-last-line: line 43'
	# and one that is whole but for its newline counts
	head -c -1 "$GOLDEN/flowlog.jsonl" >log
	as_caller "$DOCTOR" report log >out 2>err
	like counted "$(cat out)" 'total: 43'
	same said "$(cat err)" ""
}
it a_last_line_without_its_end_is_said

another_bad_line_ends_it() {	# LINE WHY
	{ sed 3q "$GOLDEN/flowlog.jsonl"; printf '%s\n' "$1"; cat "$GOLDEN/flowlog.jsonl"; } >log
	status 1 as_caller "$DOCTOR" report log >out 2>err
	like why "$(cat err)" "log:4: $2; this is no line of a flow log"
	same printed "$(cat out)" ""
	as_caller "$DOCTOR" report --lenient log >out 2>err
	like counted "$(cat out)" 'total: 46'
	like told "$(cat out)" 'malformed: 1'
}
it another_bad_line_ends_it "" "it is blank"
it another_bad_line_ends_it "x" "it is no JSON object"
it another_bad_line_ends_it '{"event":"dns_query"' "an object has no end"
it another_bad_line_ends_it '{"ts_ms":1}' 'it has no "event"'

a_long_log_takes_little_memory() {
	"$SOURCE/tests/bench/flowlog.py" 300000 200000 >log
	(ulimit -v 400000; as_caller "$DOCTOR" report log) >out
	like "what is let go is said" "$(cat out)" 'counts-may-be-too-low-by:'
	(ulimit -v 400000; "$SOURCE/tests/bench/flowlog.py" 100000 5000 | as_caller "$DOCTOR" report -) >out
	unlike "exact below the bound" "$(cat out)" 'too-low'
}
it a_long_log_takes_little_memory

# ---- the page ----

BROWSER=$(command -v chromium-headless-shell || command -v chromium || :)
browse() {	# FILE: the document as it is when its scripts have run
	timeout 60 "$BROWSER" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
	    --user-data-dir="$PWD/browser" --virtual-time-budget=2000 --dump-dom "file://$PWD/$1" 2>err
}

the_page_asks_for_nothing() {
	report --format html flowlog.jsonl >page.html
	/usr/bin/python3 - page.html <<-'END'
		import base64, hashlib, html.parser, re, sys
		page = open(sys.argv[1]).read()
		class Look(html.parser.HTMLParser):
		    def handle_starttag(self, tag, attributes):
		        for name, value in attributes:
		            assert name not in ("src", "href", "srcset", "action", "style"), (tag, name)
		            assert not name.startswith("on"), (tag, name)
		        tags.append(tag)
		tags = []
		Look().feed(page)
		assert tags.count("script") == 1 and "img" not in tags and "link" not in tags, tags
		script = re.search(r"<script>(.*?)</script>", page, re.S).group(1)
		digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
		csp = re.search('Content-Security-Policy" content="([^"]*)"', page).group(1)
		assert "default-src 'none'" in csp and "script-src 'sha256-%s'" % digest in csp, digest
	END
}
it the_page_asks_for_nothing

a_browser_shows_it() {
	[ -n "$BROWSER" ] || cannot "there is no chromium-headless-shell and no chromium here"
	only_for root
	report --format html flowlog.jsonl >page.html
	browse page.html >dom
	like title "$(cat dom)" '<title>childflow report: flowlog.jsonl</title>'
	like strings "$(cat dom)" '&lt;img src=x onerror=alert\(1\)&gt;.test'
	unlike injected "$(cat dom)" '<(img|b>|svg onload)'
	# each column's head can be reached: the script was let run by its hash
	like script "$(cat dom)" '<th class="n" tabindex="0">'
	# one bar a flow, in a row for each peer, and the denials below
	same bars "$(grep -o '<rect class="[a-z]*"[^>]*rx=' dom | wc -l)" 6
	like denials "$(cat dom)" '<rect class="no"'
}
it a_browser_shows_it

a_click_sorts() {
	[ -n "$BROWSER" ] || cannot "there is no chromium-headless-shell and no chromium here"
	only_for root
	# Its policy lets no script of ours in, so it has to go for this.
	report --format html flowlog.jsonl | sed '/Content-Security-Policy/d
		s|</body>|<script>document.querySelectorAll("table")[0].tHead.rows[0].cells[1].click()</script>&|' >page.html
	browse page.html >dom
	like first "$(tr -d '\n' <dom)" 'aria-sort="descending">Count</th></tr></thead><tbody><tr><td>total</td>'
	sed -i 's|cells\[1\].click()|&; document.querySelectorAll("table")[0].tHead.rows[0].cells[1].click()|' page.html
	browse page.html >dom
	like "the other way" "$(tr -d '\n' <dom)" 'aria-sort="ascending">Count</th></tr></thead><tbody><tr><td>runtime_failure</td>|aria-sort="ascending">Count</th></tr></thead><tbody><tr><td>[a-z_]*</td><td class="n" data-n="1">'
}
it a_click_sorts

# ---- the summary ----

the_summary_has_a_json_form() {
	cf --summary --summary-format json --deny-cidr 203.0.113.20 -- sh -c '
		curl -sS -o /dev/null http://example.test/hello
		curl -sS -o /dev/null http://203.0.113.20/hello; exit 3' >out 2>err || :
	sed -n '/^{$/,$p' err >summary
	valid summary <summary
	same status "$(jq .exit_code summary)" 3
	same order "$(jq -c 'keys_unsorted[:6]' summary)" \
	    '["backend","command","exit_code","sandbox_controls","capture","flow_log"]'
	same denied "$(jq -r '.flow_log.policy_violations[0].key' summary)" deny_cidr
	same name "$(jq -r '.flow_log.top_dns_name.qname' summary)" example.test
	status 125 cf --summary-format xml -- true 2>err
}
it the_summary_has_a_json_form
done_testing
