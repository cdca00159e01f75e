#!/usr/bin/env python3
"""Is this file a flow log?

  flowlog.py lines FILE          every line is whole: a JSON object of version 1, keys sorted, no spaces
  flowlog.py schema SCHEMA FILE  and every line is what the schema says; prints the events that there are

SPDX-License-Identifier: MIT
"""
import collections
import json
import sys


def lines(name):
    with open(name, "rb") as f:
        data = f.read()
    if data and not data.endswith(b"\n"):
        sys.exit("the last line is not whole: %r" % data[-80:])
    for number, line in enumerate(data.splitlines(), 1):
        try:
            event = json.loads(line)
        except ValueError as e:
            sys.exit("line %d: %s: %r" % (number, e, line[:200]))
        wanted = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if not isinstance(event, dict) or event.get("schema_version") != 1 or "ts_ms" not in event:
            sys.exit("line %d is no event: %r" % (number, line[:200]))
        if "\\u" not in wanted and line.decode() != wanted:
            sys.exit("line %d is not sorted and compact: %r" % (number, line[:200]))
        yield event


def main():
    count = collections.Counter()
    if sys.argv[1] == "schema":
        import jsonschema
        with open(sys.argv[2]) as f:
            schema = json.load(f)
        jsonschema.Draft7Validator.check_schema(schema)
        check = jsonschema.Draft7Validator(schema)
    for event in lines(sys.argv[-1]):
        count[event["event"]] += 1
        if sys.argv[1] == "schema":
            for error in check.iter_errors(event):
                sys.exit("%s in %s" % (error.message, json.dumps(event)))
    print(*sorted(count))


main()
