"""work.py - what is measured: a table of workloads, and how one of them is run.

A workload is a shell command that runs in the sandbox, a server on the other side, and a
function that reads the result.  All numbers of a run are {row suffix: value}, with "" for the
workload's own row.

SPDX-License-Identifier: MIT
"""
import dataclasses
import json
import re
import shlex
import time

from sandbox import Sandbox, machine_busy
from world import HOLD_PORT, HTTP_PORT, SERVER4, SERVER6, WIRE_SERVER4, WIRE_SERVER6, Failed

IPERF_PORT, RR_PORT, FLOOD_PORT, CLOSED_PORT = 5201, 9998, 9999, 9
HELD = 1000                     # connections of the memory row


@dataclasses.dataclass
class Work:
    name: str
    unit: str
    command: str
    parse: object = None
    server: list = None
    port: int = None
    extra: tuple = ()           # its other rows: (suffix, unit)
    special: object = None      # STARTUP, or a function that measures in place of parse
    wire: list = None           # options of the wire that it goes through
    seconds: float = 0          # how long the command takes
    without: tuple = ()         # runners that are not asked
    before: str = ""            # what the runner is started by

    def rows(self):
        main = () if self.special is measure_memory else (("", self.unit),)
        return [(self.name + suffix, suffix, unit) for suffix, unit in (*main, *self.extra)]


STARTUP = "the command is a payload: start it in the runner, again and again"
LATENCY = ((" p50", "µs"), (" p99", "µs"))
CPU = ((" cpu", "own s/GB"), (" machine", "all s/GB"))
LOWER_IS_BETTER = {"µs", "ms", "MiB", "own s/GB", "all s/GB", "switches/s"}

# What the project wants cf to reach: n is of native, a plain number is in the row's unit.  Where the
# tree's kernel does TCP (cf) more is wanted than of own TCP (cf-tun).
AIMS_OWN_TCP = {
    "tcp_up_1": "0.60n", "tcp_up_1 cpu": "0.35", "tcp_down_1": "0.45n", "tcp_down_1 cpu": "0.45",
    "tcp_up_4": "0.65n", "tcp_down_4": "0.55n", "tcp_rr": "0.55n", "tcp_rr_16": "0.60n",
    "tcp_crr_1": "0.75n", "tcp_crr_16": "0.75n", "udp64_up": "1.5n", "udp64_down": "0.8n",
    "udp1400_up": "0.9n", "udp1400_down": "0.6n", "http_close": "0.55n", "http_keep": "0.75n",
    "dns": "0.8n", "dns_newport": "0.5n", "startup": "15", "pss idle": "10",
    f"pss {HELD} conns": "12",
}
AIMS = {
    "cf-tun": AIMS_OWN_TCP,
    "cf": AIMS_OWN_TCP | {
        "tcp_up_1": "0.65n", "tcp_up_1 cpu": "0.15", "tcp_down_1": "0.60n",
        "tcp_down_1 cpu": "0.15", "tcp_up_4": "0.60n", "tcp_down_4": "0.60n",
    },
}


# ---- reading results ----

def json_result(out):
    try:
        return json.loads(out)
    except ValueError:
        raise Failed(f"no result in {out[-200:]!r}") from None


def iperf_result(out):
    data = json_result(out)
    if "error" in data:
        raise Failed(data["error"])
    end = data["end"]["sum_received"]
    return {"": end["bits_per_second"] / 1e9, "_bytes": end["bytes"]}


def rr_result(out):
    data = json_result(out)
    if data["errors"]:
        raise Failed(f"{data['errors']} failed transactions besides {data['transactions']}")
    return {"": data["per_second"], " p50": data["p50_us"], " p99": data["p99_us"]}


def number(pattern, scale=1.0):
    def read(out):
        if m := re.search(pattern, out):
            return {"": float(m[1]) * scale}
        raise Failed(f"no result in {out[-200:]!r}")
    return read


def flood_result(out):
    return {"": number(r"GOT (\d+)")(out)[""] / number(r"SECONDS ([\d.]+)")(out)[""] / 1e3}


# ---- measuring otherwise ----

def measure_wakeups(_world, box):
    box.go()
    time.sleep(1)       # lets the sandbox's own start end
    before = box.switches()
    time.sleep(3)
    after = box.switches()
    box.until(r"END \d+", 10)
    return {"": sum(n - before.get(thread, 0) for thread, n in after.items()) / 3}


def measure_memory(world, box):
    idle = box.pss()
    box.go()
    box.until(r"END \d+", 25)
    deadline = time.time() + 1
    while (held := world.server_sockets().count((HOLD_PORT, "01"))) < HELD:
        if time.time() > deadline:
            raise Failed(f"only {held} of {HELD} connections reached the server")
    return {" idle": idle, f" {HELD} conns": box.pss()}


# ---- the table ----

# An address that is still tentative cannot be used.
WAIT6 = (f"for i in $(seq 300); do ip -6 route get {SERVER6} >/dev/null 2>&1 &&"
         " [ -z \"$(ip -6 addr show scope global tentative)\" ] && break; sleep 0.01; done; ")
NAMESERVER = "ns=$(awk '/^nameserver/ {print $2; exit}' /etc/resolv.conf); "
BACK = {"up": "", "down": " -R"}
LINKS = (("rtt0.2", 0.2), ("rtt5", 5), ("rtt50", 50), ("rtt300", 300),
         ("rtt5v6", 5, WIRE_SERVER6), ("rtt50v6", 50, WIRE_SERVER6),
         ("loss0.1", 5, WIRE_SERVER4, "0.1"), ("loss1", 5, WIRE_SERVER4, "1"))


def iperf(name, seconds, args, wait="", **kw):
    return Work(name, "Gbit/s", f"{wait}iperf3 -J -C cubic -p {IPERF_PORT} {args}", iperf_result,
                ["iperf3", "-s", "-1", "-p", str(IPERF_PORT)], IPERF_PORT, seconds=seconds, **kw)


def over_wire(way, seconds, link, rtt_ms, server=WIRE_SERVER4, loss=None):
    """Slow start, which at 300 ms takes seconds, is left out."""
    skip = round(rtt_ms / 100)
    took = seconds + skip
    wire = ["-d", str(rtt_ms * 500)] + (["-l", loss] if loss else [])
    args = f"-c {server} -t {seconds} -O {skip}{BACK[way]}"
    return iperf(f"{link}_{way}", took, args, wire=wire, without=("slirp",))


def rr(name, mode, flows, seconds, **kw):
    return Work(name, "/s", f"rr {mode} {SERVER4} {RR_PORT} {seconds} {flows} 2>&1", rr_result,
                ["rr", "serve", str(RR_PORT)], RR_PORT, seconds=seconds, **kw)


def flood(name, unit, command, parse, seconds):
    return Work(name, unit, command + " 2>&1", parse, ["udpflood", "serve", str(FLOOD_PORT)],
                seconds=seconds)


def wrk(name, seconds, args=""):
    return Work(name, "req/s", f"wrk -t1 -c16 -d{seconds}s {args} http://{SERVER4}:{HTTP_PORT}/ 2>&1",
                number(r"Requests/sec:\s+([\d.]+)"), seconds=seconds)


def startup(name, command):
    return Work(name, "ms", command, lambda out: {"": json_result(out)}, special=STARTUP)


def workloads(s):
    """All of them, with runs of s seconds."""
    ladder = max(s, 2)
    return [
        iperf("tcp_up_1", s, f"-c {SERVER4} -t {s}", extra=CPU),
        iperf("tcp_down_1", s, f"-c {SERVER4} -t {s} -R", extra=CPU),
        iperf("tcp_up_4", s, f"-c {SERVER4} -t {s} -P 4"),
        iperf("tcp_down_4", s, f"-c {SERVER4} -t {s} -P 4 -R"),
        *(iperf(f"tcp_{way}_plain", s, f"-c {SERVER4} -t {s}{BACK[way]}", before="plaintun ",
                extra=CPU[:1]) for way in BACK),
        iperf("tcp6_up_1", s, f"-6 -c {SERVER6} -t {s}", WAIT6),
        iperf("tcp6_down_1", s, f"-6 -c {SERVER6} -t {s} -R", WAIT6),
        rr("tcp_rr", "tcp_rr", 1, s, extra=LATENCY),
        rr("tcp_rr_16", "tcp_rr", 16, s),
        rr("tcp_crr_1", "tcp_crr", 1, s, extra=LATENCY[:1]),
        rr("tcp_crr_16", "tcp_crr", 16, s),
        rr("udp_rr", "udp_rr", 1, s, extra=LATENCY),
        Work("conn_refused", "µs", f"rr refused {SERVER4} {CLOSED_PORT} {s} 2>&1",
             lambda out: {"": rr_result(out)[" p50"]}, seconds=s),
        *(flood(f"udp64_{way}", "kpps", f"udpflood {way} {SERVER4} {FLOOD_PORT} 64 0 {s}000",
                flood_result, s) for way in ("up", "down")),
        *(flood(f"udp1400_{way}", "Mbit/s",
                f"inside.py udp_ladder {way} {SERVER4} {FLOOD_PORT} {ladder}",
                number(r"BEST (\d+)"), ladder) for way in ("up", "down")),
        wrk("http_close", s, "-H 'Connection: close'"),
        wrk("http_keep", s),
        Work("dns", "queries/s", NAMESERVER + "q=$(mktemp); echo bench.test A >$q; "
             f"dnsperf -s $ns -d $q -l {s} -c 4 -q 64 2>&1; rm -f $q",
             number(r"Queries per second:\s+([\d.]+)"), seconds=s),
        Work("dns_newport", "queries/s", NAMESERVER + f"inside.py dns_loop $ns {s} 2>&1",
             number(r"RATE ([\d.]+)"), seconds=s),
        Work("ping", "µs", f"ping -4 -q -c 100 -i 0.01 -W 1 {SERVER4} 2>&1",
             number(r"rtt [^=]*= [\d.]+/([\d.]+)", 1000), seconds=1),
        startup("startup", "true"),
        startup("startup_tree", "sh -c '/bin/true; /bin/true; /bin/true'"),
        Work("wakeups_idle", "switches/s", "sleep 4.5", special=measure_wakeups),
        Work("pss", "MiB", f"exec inside.py hold {SERVER4} {HOLD_PORT} {HELD}",
             special=measure_memory, extra=((" idle", "MiB"), (f" {HELD} conns", "MiB"))),
        *(over_wire(way, s, *link) for link in LINKS for way in BACK),
    ]


# ---- running one ----

def run_work(world, work, prefix):
    """One run under one runner: {suffix: value, or a list of values}."""
    command = work.command
    if work.special is STARTUP:
        command = f"inside.py startup 8 {shlex.join(shlex.split(prefix))} {command} </dev/null"
        prefix = ""
    helpers, box = [], None
    try:
        if work.wire:
            helpers.append(world.wire(work.wire))
        if work.server:
            helpers.append(world.server(work.server, work.port))
        box = Sandbox(world, work.before + prefix, command)
        box.until("READY", 10)
        time.sleep(0.2)         # what a runner still does after its start is not the workload's
        if callable(work.special):
            return work.special(world, box)
        return measure(box, work)
    except Failed as e:
        raise Failed(f"{e} {box.stderr() if box else ''}".strip()) from None
    finally:
        if box:
            box.close()
        for p in helpers:
            p.terminate()
            p.wait()


def measure(box, work):
    cpu, busy = box.cpu(), machine_busy()
    box.go()
    out = box.until(r"END \d+", work.seconds + 20)
    cpu, busy = box.cpu() - cpu, machine_busy() - busy
    got = work.parse(out)
    if size := got.pop("_bytes", 0):
        got[" cpu"], got[" machine"] = cpu / size * 1e9, busy / size * 1e9
    return got
