#!/usr/bin/python3
"""flowlog.py LINES [NAMES] - print a flow log of so many lines with so many names.

Every fetch is what a run writes for it: query, answer, attempt, result, end; one in fifty is
refused.  The same arguments give the same log.  To measure:

    tests/bench/flowlog.py 1000000 >log; time cf-doctor report log

SPDX-License-Identifier: MIT
"""
import random
import sys

FETCH = (
    '{"event":"dns_query","protocol":"udp","qname":"%(name)s","qtype":"A","schema_version":1,'
    '"server":"192.0.0.1:53","server_ip":"192.0.0.1","server_port":53,"ts_ms":%(ms)d}\n'
    '{"answer_ips":["%(ip)s"],"bytes":64,"event":"dns_answer","mode":"relayed","protocol":"udp",'
    '"qname":"%(name)s","qtype":"A","rcode":"NOERROR","schema_version":1,"server":"192.0.0.1:53",'
    '"server_ip":"192.0.0.1","server_port":53,"ts_ms":%(ms)d}\n'
    '{"comm":"%(comm)s","event":"connect_attempt","names":["%(name)s"],"pid":%(pid)d,"protocol":"tcp",'
    '"remote_addr":"%(ip)s:443","remote_ip":"%(ip)s","remote_port":443,"schema_version":1,'
    '"ts_ms":%(ms)d,"via_proxy":false}\n'
    '{"comm":"%(comm)s","error":null,"event":"connect_result","names":["%(name)s"],"pid":%(pid)d,'
    '"protocol":"tcp","remote_addr":"%(ip)s:443","remote_ip":"%(ip)s","remote_port":443,'
    '"schema_version":1,"status":"ok","ts_ms":%(ms)d,"via_proxy":false}\n'
    '{"bytes_down":%(down)d,"bytes_up":%(up)d,"close_reason":"eof","comm":"%(comm)s","duration_ms":%(took)d,'
    '"event":"flow_end","flow":%(flow)d,"names":["%(name)s"],"packets_down":9,"packets_up":7,'
    '"pid":%(pid)d,"protocol":"tcp","remote_addr":"%(ip)s:443","remote_ip":"%(ip)s","remote_port":443,'
    '"schema_version":1,"src_port":40000,"ts_ms":%(ms)d}\n'
)
DENIED = (
    '{"action":"deny","comm":"%(comm)s","control":"--deny-cidr","event":"policy_violation",'
    '"matched_cidr":"10.0.0.0/8","matched_domain":null,"pid":%(pid)d,"protocol":"tcp",'
    '"reason":"blocked by `--deny-cidr 10.0.0.0/8`","reason_code":"deny_cidr","remote":"10.0.0.%(one)d:80",'
    '"remote_ip":"10.0.0.%(one)d","remote_port":80,"schema_version":1,"ts_ms":%(ms)d}\n'
)
COMMS = ("curl", "node", "npm install", "git-remote-http", "python3", "cargo")


def main():
    lines, names = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rng = random.Random(7)
    done = flow = 0
    ms = 1790000000000
    out = sys.stdout
    while done < lines:
        flow += 1
        ms += rng.randrange(40)
        which = min(int(rng.expovariate(8 / names)), names - 1) if rng.random() < .5 else \
            rng.randrange(names)
        fetch = {
            "name": "n%d.example.com" % which, "ms": ms, "flow": flow, "one": which % 250 + 1,
            "ip": "198.18.%d.%d" % (which // 256 % 256, which % 256), "pid": 1000 + which % 40,
            "comm": COMMS[which % len(COMMS)], "up": rng.randrange(5000),
            "down": int(rng.paretovariate(1) * 1000), "took": rng.randrange(4000),
        }
        out.write(FETCH % fetch)
        done += 5
        if flow % 50 == 0:
            out.write(DENIED % fetch)
            done += 1


main()
