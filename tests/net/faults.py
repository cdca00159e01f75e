#!/usr/bin/python3
"""faults.py - what comes of a run when one of its processes fails, for each of them, each fault and stage.

TABLE is the matrix; faults.sh makes the world and calls this with the words in it.  A cell is a run
of its own, in a mount namespace of its own where faulty.c may lie over a helper.  Its command is
tree.sh (in faults.sh), which talks by the proxy and directly, and leaves a process behind that
tries again once the run is over.

before	one program has been started and holds (faulty.c), so that the run has no HELLO
during	the tree has talked, and goes on with it
end	the command has ended; the flow log is a full pipe, so its last events are being written

WHAT WILL COME OF IT, by word, is in OUTCOMES; a word behind "-" says why there is nothing to try.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time

TABLE = """
who           fault    before        during        end

watcher       kill     unstarted     ended         lost
netstack      kill     unstarted     ended         lost
dns           kill     unstarted     ended         lost
policy        kill     unstarted     ended         lost
dialler       kill     unstarted     ended         lost
upstream      kill     unstarted     ended         lost
upstream-tls  kill     unstarted     ended         lost
capture       kill     unstarted     ended         lost
summary       kill     ended         ended         lost
remote        kill     unstarted     ended         lost
remote        cut      unstarted     ended         lost
spawn         kill     killed        killed        killed

watcher       stop     unstarted     ended         lost
netstack      stop     unstarted     ended         lost
dns           stop     unstarted     ended         lost
policy        stop     unstarted     ended         lost
dialler       stop     unstarted     ended         lost
upstream      stop     unstarted     ended         lost
upstream-tls  stop     unstarted     ended         lost
capture       stop     unstarted     ended         lost
summary       stop     ended         ended         lost
remote        stop     unstarted     ended         lost
spawn         stop     waits         waits         waits

netstack      hang     hung          -no-wait      -no-wait
dns           hang     hung          -no-wait      -no-wait
dialler       hang     hung          -no-wait      -no-wait

watcher       memory   -forked       -forked       -forked
netstack      memory   unstarted     either        -takes-none
dns           memory   unstarted     either        -takes-none
policy        memory   unstarted     either        -takes-none
dialler       memory   unstarted     either        -takes-none
upstream      memory   unstarted     either        -takes-none
upstream-tls  memory   unstarted     either        -takes-none
capture       memory   unstarted     either        -takes-none
summary       memory   fails         either        -takes-none
remote        memory   -not-ours     -not-ours     -not-ours
spawn         memory   sweep         -takes-none   -takes-none

watcher       fds      -forked       -forked       -forked
netstack      fds      unstarted     runs          -opens-none
dns           fds      unstarted     runs          -opens-none
policy        fds      unstarted     runs          -opens-none
dialler       fds      unstarted     runs          -opens-none
upstream      fds      unstarted     runs          -opens-none
upstream-tls  fds      unstarted     runs          -opens-none
capture       fds      unstarted     -opens-none   -opens-none
summary       fds      fails         runs          -opens-none
remote        fds      -not-ours     -not-ours     -not-ours
spawn         fds      sweep         -opens-none   -opens-none

spawn         pids     sweep         -starts-none  -starts-none

policy        disk     record        record        record
capture       disk     record        record        record
summary       disk     unsaid        -one-write    -one-write

netstack      mad      garbled       garbled       -unheld
dns           mad      garbled       garbled       -unheld
policy        mad      garbled       garbled       -unheld
dialler       mad      garbled       garbled       -unheld
upstream      mad      garbled       garbled       -unheld
capture       mad      garbled       garbled       -unheld
remote        mad      garbled       garbled       -unheld
"""

# Status and reason; the command was started; the pattern of our line (None: no line).
OUTCOMES = {
    "unstarted": (125, "helper", False, "{who} .*: the command was not started"),
    "hung": (125, "setup", False, "cannot wait until all helpers are ready: "),
    "ended": (125, "helper", True, "{who} .*: the command's network is gone and the run is over"),
    "early": (125, "helper", False, "{who} .*: the command's network is gone and the run is over"),
    "lost": (125, "helper", True, "{who} "),
    "record": (125, "record", True, None),
    "garbled": (125, "helper", None, "."),
    "unsaid": (125, "helper", True, None),
    "killed": (-9, "", None, None),
    "waits": (0, "command", True, None),
    "runs": (0, "command", True, None),
}
EITHER = {"either": ("ended", "lost", "runs"), "fails": ("unstarted", "ended", "early")}

# Who goes mad: what role it says it has, and to whom it does what.
ALL_WAYS = "rubbish role version oversize type descriptor missing again eof".split()
MAD = {
    "netstack": (2, {"0": ALL_WAYS, "--proxy-fd": ALL_WAYS + ["opens"], "--dns-fd": ALL_WAYS + ["queries"],
                     "--capture-fd": ["rubbish", "role"]}),
    "dns": (4, {"0": ["rubbish", "role", "descriptor"], "--dial-fd": ["rubbish", "role"],
                "--names-fd": ["rubbish", "role", "names"], "--control-fd": ["rubbish", "role"]}),
    "policy": (8, {"0": ["rubbish", "role", "descriptor"], "--dial-fd": ["rubbish", "opens"],
                   "--who-fd": ["rubbish"], "--info-fd": ["rubbish"], "--control-fd": ["rubbish"]}),
    "dialler": (16, {"0": ["rubbish", "role", "descriptor"], "--dns-fd": ["rubbish"],
                     "--upstream-fd": ["rubbish"], "--control-fd": ["rubbish"]}),
    "upstream": (128, {"0": ["rubbish", "role", "descriptor"]}),
    "capture": (32, {"0": ["rubbish"], "--info-fd": ["rubbish"]}),
    "remote": (16, {"0": ALL_WAYS}),
}
# What may be taken for a while before it is enough.
FLOODS = ("opens", "queries", "names")

NAMES = {"watcher": "cf-spawn .watcher.", "policy": "cf-proxy .policy.", "summary": "cf-doctor .summary.",
         "dialler": "cf-proxy .dialler.", "upstream-tls": "cf-upstream", "remote": "the helper `.*'"}
PROGRAMS = {"policy": "cf-proxy", "dialler": "cf-proxy", "summary": "cf-doctor"}

T, PASS, FAULTY, BECOME = (os.environ.get(n, "") for n in ("T", "PASS", "FAULTY", "BECOME_USER"))
LIBEXEC = "/srv/cf/libexec/childflow"
WORKERS = int(os.environ.get("FAULTS_AT_ONCE", 6))
LIMIT = 30		# seconds for what has to come
SOON = 8		# for the end of a run that has failed; and it counts the machine's load
START_LIMIT = 20		# s that cf-spawn waits for all HELLOs


class Wrong(Exception):
    pass


def wait_for(what, test, limit=LIMIT):
    end = time.monotonic() + limit
    while not (got := test()):
        if time.monotonic() > end:
            raise Wrong("no " + what)
        time.sleep(0.01)
    return got


# ---- processes ----

def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def state(pid):
    """The letter of /proc; "" once it is gone."""
    stat = read("/proc/%d/stat" % pid)
    return stat.rpartition(b")")[2].split()[0].decode() if stat else ""


def session_of(pid):
    stat = read("/proc/%d/stat" % pid)
    return int(stat.rpartition(b")")[2].split()[3]) if stat else 0


def descendants(pid):
    out = [pid]
    for child in read("/proc/%d/task/%d/children" % (pid, pid)).split():
        out += descendants(int(child))
    return out


def living(session):
    pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
    return [p for p in pids if session_of(p) == session and state(p) not in ("", "Z", "X")]


def comm(pid):
    return read("/proc/%d/comm" % pid).strip().decode()


def plays(pid, who):
    """Is this the process that the row means?"""
    name, words = comm(pid), read("/proc/%d/cmdline" % pid).split(b"\0")
    if who in ("policy", "dialler"):
        return name == "cf-proxy" and (b"--policy" in words) == (who == "policy") and b"--control-fd" in words
    if who == "remote":
        return name == "sh" and any(b"libexec" in w for w in words)
    if who == "cut":
        return name == "socat"
    return name == {"summary": "cf-doctor"}.get(who, "cf-" + who)[:15]


def waits_for_pipe(pid):
    """Asleep in a write to one, as far as the kernel tells."""
    where = read("/proc/%d/wchan" % pid)
    return b"pipe_w" in where or where in (b"0", b"") and state(pid) == "S"


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


# ---- faults ----

FAULTS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "cut": signal.SIGKILL}
# What a limit leaves of what a run like it has had: too little to start, or to open many flows.
LIMITS = {("memory", "before"): lambda had: had[0] - (600 << 10), ("memory", "during"): lambda had: had[0] + (128 << 10),
          ("fds", "before"): lambda had: 6, ("fds", "during"): lambda had: had[1] + 40}
FLOOD_RSS = 64 << 10	# KB that a helper may have in a flood


def has_had(pid):
    """Bytes of memory, and the highest descriptor."""
    return (int(read("/proc/%d/statm" % pid).split()[0]) * os.sysconf("SC_PAGE_SIZE"),
            max(int(n) for n in os.listdir("/proc/%d/fd" % pid)))


# ---- evidence ----

def events(data):
    """The flow log's; each line has to be whole."""
    if data and not data.endswith(b"\n"):
        raise Wrong("the log ends within a line: %r" % data[-80:])
    return [json.loads(line) for line in data.split(b"\n") if line]


def check_log(data):
    seen = events(data)
    flows = {e["remote_ip"] for e in seen if e["event"] == "connect_result" and e["status"] == "ok"}
    asked = {e["qname"] for e in seen if e["event"] == "dns_answer"}
    if not {"203.0.113.10", "203.0.113.20"} <= flows or "www.example.test" not in asked:
        raise Wrong("the log has flows to %s, and names %s" % (flows, asked))


def check_capture(data):
    """Whole blocks, and among them what the tree said (blocks.py and tshark look closer)."""
    at, packets = 0, 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or at + length > len(data):
            raise Wrong("the capture ends within a block")
        packets += kind == 6 and b"a word" in data[at:at + length]
        at += length
    if packets < 2:
        raise Wrong("the capture has %d packets of what was said, in %d bytes" % (packets, len(data)))


# ---- one run ----

def cf_words():
    """cf-spawn, as the caller."""
    return ["/srv/cf/bin/cf-spawn", "--run-as-root"] if PASS == "root" else BECOME.split() + ["/srv/cf/bin/cf-spawn"]


class Cell:
    had = {}		# by who: has_had() in a run without a fault

    def __init__(self, who, fault, stage, outcome, *way):
        self.who, self.fault, self.stage, self.outcome, self.way = who, fault, stage, outcome, way
        self.name = " ".join((who, fault, stage) + way)
        self.dir = os.path.join(T, "faults", self.name.replace(" ", "."))
        self.run, self.log, self.took, self.pipe, self.small = None, b"", 0, -1, -1

    def path(self, name):
        return os.path.join(self.dir, name)

    def has(self, name):
        return os.path.exists(self.path(name))

    def make(self, name, text=""):
        with open(self.path(name), "w") as f:
            f.write(text)

    # -- what it is started with

    def plan(self):
        """In whose place faulty.c is, and what it does; None: nobody's."""
        if self.fault in ("kill", "stop", "hang", "cut") and self.stage == "before":
            return "policy" if self.who in ("watcher", "spawn", "remote") else self.who, "hold"
        if self.fault == "mad":
            role, when = MAD[self.who][0], "before" if self.stage == "before" else "later"
            return self.who, "mad %d %s %s %s" % (role, self.way[0], when, self.way[1])
        if (self.fault, self.stage) in LIMITS:
            return self.who, "limit %s %d" % (self.fault, LIMITS[self.fault, self.stage](self.had.get(self.who)))
        return None

    def proxy_options(self):
        if self.who == "remote":
            command = "exec " + FAULTY if self.fault == "mad" else "socat STDIO EXEC:%s/cf-proxy,pipes; exit $?" % LIBEXEC
            return ["--proxy-helper", command]
        if self.who == "upstream-tls":
            return ["-p", "https://proxy.example.test:3131", "--proxy-ca", T + "/ca.pem",
                    "--udp-direct", "--no-proxy", "203.0.113.20"]
        return ["-p", "socks5://127.0.0.1:1080", "--udp-direct", "--no-proxy", "203.0.113.20"]

    def options(self):
        full = self.fault == "disk"
        out = ["--status-fd", "7", "--flow-log", "small/log" if full and self.who == "policy" else "log", "-d", "203.0.113.53", "--dns-direct"] + self.proxy_options()
        if self.captures():
            out += ["-c", "small/packets" if full and self.who == "capture" else "packets"]
        if self.who == "summary":
            out += ["--summary"]
        return out

    def captures(self):
        """Without a capture the kernel's own TCP is in the path."""
        return PASS == "user" or self.who == "capture" or self.fault in ("none", "memory")

    def setup(self):
        """Lines of sh, as root, in the cell's own mounts."""
        out = ["set -e", "cd %s" % self.dir, "mount --bind fault /srv/fault"]
        if plan := self.plan():
            program = PROGRAMS.get(plan[0], "cf-" + plan[0])
            name = {"summary": program, "remote": "faulty"}.get(plan[0], plan[0] if plan[0] in PROGRAMS else program)
            self.make("fault/plan", "%s %s\n" % (name, plan[1]))
            if self.who != "remote" or self.fault != "mad":
                out.append("mount --bind %s %s/%s" % (FAULTY, LIBEXEC, program))
        if self.fault == "disk":
            out += ["mkdir small", "mount -t tmpfs -o size=64k,mode=1777 tmpfs small"]
            if self.stage == "before":
                out.append("cat /dev/zero >small/filler 2>/dev/null || :")
        return out

    def start(self):
        os.makedirs(self.path("fault"))
        pipes = ["tick"] + (["log"] if self.stage == "end" and self.fault != "disk" else [])
        for name in pipes:
            os.mkfifo(self.path(name))
        for name in ["", "fault"] + pipes:
            os.chmod(self.path(name), 0o777)
        if self.fault == "mad":
            self.make("quiet")
        script = self.setup() + ["exec env HOME=%s/home TMPDIR=%s/tmp %s \"$@\" 7>status%s" % (
            T, T, " ".join(cf_words()), " 2>/dev/full" if self.outcome == "unsaid" else "")]
        self.run = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", "\n".join(script), "sh"] + self.options() + ["--", "bash", T + "/tree.sh"],
            stdin=subprocess.DEVNULL, stdout=open(self.path("out"), "wb"), stderr=open(self.path("err"), "wb"),
            start_new_session=True)
        if "log" in pipes:
            self.pipe = os.open(self.path("log"), os.O_RDWR | os.O_NONBLOCK)

    # -- stages

    def over(self):
        return self.run.poll() is not None

    def reach(self):
        if self.stage == "before":
            if self.plan() and self.plan()[1] == "hold":
                self.await_("program that holds", lambda: self.has("fault/held"))
            if self.who == "summary" and self.fault not in ("memory", "fds"):	# it has no HELLO: the run goes on without
                self.await_("beginning of the tree", lambda: self.has("begun"))
            return
        self.await_("beginning of the tree", lambda: self.has("begun"))
        if self.stage == "end":
            self.make("hold")
            self.make("finish")
            self.await_("flow that holds the end", lambda: self.has("written"))
            command, policy = int(read(self.path("begun"))), self.target("policy")
            if self.pipe != -1:
                self.drain()
                self.fill()
            self.make("leave")
            self.await_("end of the command", lambda: state(command) == "")
            if self.pipe != -1:
                self.await_("writer that waits", lambda: waits_for_pipe(policy))

    def await_(self, what, test):
        """While the run lasts."""
        wait_for(what, lambda: self.over() or test())
        if not test():
            raise Wrong("the run is over before the %s" % what)

    def drain(self):
        if self.pipe == -1:
            return
        try:
            while data := os.read(self.pipe, 1 << 16):
                self.log += data
        except BlockingIOError:
            pass

    def fill(self):
        """Empty lines, as many as the pipe takes."""
        fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, 4096)
        try:
            while True:
                os.write(self.pipe, b"\n" * 64)
        except BlockingIOError:
            pass

    def target(self, who=None):
        who = who or ("cut" if self.fault == "cut" else self.who)
        held = self.plan() and self.plan()[0] == who

        def find():
            if who == "spawn":
                return [self.run.pid]
            return [p for p in descendants(self.run.pid) if (comm(p) == "held" if held else plays(p, who))]
        self.await_("process " + who, find)
        return find()[0]

    def strike(self):
        if self.fault in FAULTS:
            pid = self.target()
            if state(pid) in ("", "Z"):
                raise Wrong("%s has ended already" % self.who)
            os.kill(pid, FAULTS[self.fault])
        if self.fault == "disk" and self.stage != "before":
            self.fill_disk()
        if self.fault == "mad" and self.stage == "during":
            self.go_mad()
        if self.outcome == "waits":
            wait_for("stop", lambda: state(self.run.pid) == "T")
            self.make("fault/go")
            self.make("finish")
            os.kill(self.run.pid, signal.SIGCONT)
        elif self.outcome in ("runs", "either", "record", "unsaid"):
            if self.stage == "during":
                self.make("more")
                wait_for("end of many flows", lambda: self.over() or self.has("opened"))
            self.make("finish")
        if self.outcome in ("waits", "runs", "lost", "record"):
            self.make("release")

    def fill_disk(self):
        """In the cell's mounts, which cf-spawn has too."""
        self.small = os.open("/proc/%d/cwd/small" % self.run.pid, os.O_RDONLY)
        for name in ("filler", "log"):		# and the rest of the log's last page, by empty lines
            if name == "log" and not os.path.exists("/proc/self/fd/%d/log" % self.small):
                continue
            with open("/proc/self/fd/%d/%s" % (self.small, name), "ab", buffering=0) as f:
                try:
                    while f.write(b"\n" * 512) == 512:
                        pass
                except OSError:
                    pass

    def go_mad(self):
        self.make("fault/go")
        if self.way[1] in FLOODS:
            wait_for("end of the flood", lambda: self.over() or self.has("fault/was"))
            for pid in descendants(self.run.pid):
                peak = re.search(rb"VmHWM:\s*(\d+)", read("/proc/%d/status" % pid))
                if peak and int(peak[1]) > FLOOD_RSS:
                    raise Wrong("%s has had %s KB" % (comm(pid), peak[1].decode()))
            self.make("fault/done")

    # -- its end

    def end(self):
        start = time.monotonic()
        while not self.over():
            self.drain()
            if time.monotonic() - start > LIMIT:
                raise Wrong("it hangs")
            time.sleep(0.01)
        self.took = time.monotonic() - start
        if self.pipe != -1:
            self.drain()
            self.log = re.sub(rb"\n\n+", b"\n", self.log).lstrip(b"\n")
        else:
            self.log = read(self.evidence("log"))
        self.packets = read(self.evidence("packets"))

    def evidence(self, name):
        """Where it is; the mounts of the cell have gone with its processes."""
        small = "/proc/self/fd/%d/%s" % (self.small, name)
        return small if self.small != -1 and os.path.exists(small) else self.path(name)

    def result(self):
        """Status, reason, whether the command was started, what was said."""
        reason = re.findall(r'"reason": ?"(\w+)"', read(self.path("status")).decode())
        said = read(self.path("err")).decode(errors="replace").splitlines()
        return self.run.returncode, "".join(reason), self.has("begun"), said

    def network_is_gone(self):
        """For who begins now; of a connect(2) that has begun the kernel tells the end in its own time."""
        wait_for("end of the helpers", lambda: not any(comm(p).startswith("cf-") for p in living(self.run.pid)))
        self.make("go")
        wait_for("process that is left to try", lambda: self.has("after"))
        what, ms = read(self.path("after")).split()
        if what != b"closed" or int(ms) > 2000:
            raise Wrong("after the run a connection is %s, after %s ms" % (what.decode(), ms.decode()))

    def nothing_is_left(self):
        if os.path.isdir(self.dir):
            self.make("go")
        if self.outcome == "killed" and self.has("begun"):	# the tree's own may live on
            kill(int(read(self.path("begun"))))
        wait_for("end of what is left", lambda: not living(self.run.pid))

    def go(self):
        self.start()
        self.reach()
        self.strike()
        self.end()
        if self.has("begun"):
            self.network_is_gone()
        self.nothing_is_left()

    # -- was it right?

    def mismatch(self, outcome):
        """What is not as this outcome has it; None: all is."""
        status, reason, started, pattern = OUTCOMES[outcome]
        got_status, got_reason, got_started, said = self.result()
        ours = [s for s in said if s.startswith("cf-spawn: ")]
        theirs = [s for s in said if (s.startswith("cf-") or s == "Killed") and s not in ours]
        if self.way and self.way[1] in FLOODS:		# and what the policy refuses of it, and who is cut off by it
            theirs = [s for s in theirs if "sent garbage" in s][:1]
        if got_status != status or not re.fullmatch(reason, got_reason):
            return "status %s, reason %s" % (got_status, got_reason)
        if started is not None and got_started != started:
            return "the command was%s started" % ("" if got_started else " not")
        if pattern is None:
            at_most_one_each = len(set(t.split(":")[0] for t in theirs)) == len(theirs)
            if ours or outcome == "record" and not (theirs and at_most_one_each):
                return "lines"
            return None
        who = NAMES.get(self.who, "cf-" + self.who)
        if len(ours) != 1 or not re.match("cf-spawn: " + pattern.format(who=who), ours[0]):
            return "our lines"
        if len(theirs) != ("its own message is above" in ours[0]):
            return "lines of others"
        return None

    def judge(self):
        wrong = [self.mismatch(o) for o in EITHER.get(self.outcome, (self.outcome,))]
        if all(wrong):
            raise Wrong(", ".join(wrong))
        if self.took > SOON + (START_LIMIT if self.outcome == "hung" else 0):
            raise Wrong("it took %.1f s" % self.took)
        if self.has("begun") and self.fault != "mad" and not (self.fault == "disk" and self.stage == "before"):
            check_log(self.log)
            if self.captures():
                check_capture(self.packets)

    def kill_rest(self):
        if self.run is None:
            return
        for pid in living(self.run.pid):
            kill(pid)


class Sweep(Cell):
    """cf-spawn with less and less of something, from its start: it runs, or says in a line why not."""

    STEPS = {"fds": ("-n", range(4, 70, 6)), "memory": ("-v", range(3000, 12000, 250)), "pids": ("-u", range(1, 20, 2))}

    def go(self):
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o777)
        failed = 0
        option, steps = self.STEPS[self.fault]
        for n in steps:
            failed += self.step("cd %s; ulimit %s %d; exec %s" % (self.dir, option, n, " ".join(cf_words())))
        if failed == 0:
            raise Wrong("it was never short of any")

    def step(self, script):
        """One run; did it fail?"""
        words = ["bash", "-c", script + ' "$@"', "sh"]
        if subprocess.run(words + ["-V"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            return True		# not even the loader has enough
        self.run = subprocess.Popen(words + self.options()[2:] + ["--", "/bin/true"], stdin=subprocess.DEVNULL,
                                    stderr=open(self.path("err"), "wb"), start_new_session=True)
        self.run.wait(LIMIT)
        said = read(self.path("err")).decode(errors="replace").splitlines()
        ours = [line for line in said if line.startswith("cf-spawn: ")]
        # Those who are to become helpers are cf-spawn yet, and each says what it is short of.
        verdict = sum(": the command was not started" in line for line in ours)
        if self.run.returncode != (125 if ours else 0) or len(ours) > 1 and verdict != 1:
            raise Wrong("%s: %d: %s" % (script, self.run.returncode, said))
        self.nothing_is_left()
        return self.run.returncode != 0

    def judge(self):
        pass


def cells():
    stages = TABLE.split("\n")[1].split()[2:]
    for line in TABLE.split("\n")[2:]:
        words = line.split()
        for stage, outcome in zip(stages, words[2:]):
            if outcome.startswith("-"):
                continue
            if PASS == "root" and words[1] in ("memory", "fds", "mad"):
                continue		# who calls makes no difference to it
            if words[1] != "mad":
                yield (Sweep if outcome == "sweep" else Cell)(*words[:2], stage, outcome)
                continue
            for channel, ways in MAD[words[0]][1].items():
                for way in ways:
                    if not (stage == "before" and way in FLOODS or stage == "during" and way in ("role", "version")):
                        yield Cell(*words[:2], stage, outcome, channel, way)


def measure():
    """What the helpers of a run have before anything befalls it."""
    for who in ("summary", "upstream-tls"):
        cell = Cell(who, "none", "during", "runs")
        cell.start()
        cell.reach()
        for name in set(line.split()[0] for line in TABLE.split("\n")[2:] if line) - {"remote", "spawn"}:
            for pid in descendants(cell.run.pid):
                if plays(pid, name):
                    Cell.had[name] = has_had(pid)
        cell.make("finish")
        cell.end()


def try_cell(cell):
    why = None
    try:
        cell.go()
        cell.judge()
    except Wrong as e:
        why = str(e)
    finally:
        cell.kill_rest()
    return cell, why


def stall(port):
    """A server that holds what connects; after a line, a path, it reads the rest once there is such a file."""
    listener = socket.create_server(("", port), backlog=1024)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    poll, held, paths = select.epoll(), {}, {}
    poll.register(listener)
    while True:
        for fd, _ in poll.poll(0.05 if paths else -1):
            if fd == listener.fileno():
                s = listener.accept()[0]
                held[s.fileno()] = s
                poll.register(s, select.EPOLLIN)
                continue
            line, end, _ = held[fd].recv(1000).partition(b"\n")
            poll.unregister(fd)
            if end:
                paths[fd] = line
            else:
                del held[fd]
        for fd in [fd for fd, path in paths.items() if os.path.exists(path)]:
            try:
                while held[fd].recv(1 << 20):
                    pass
            except OSError:
                pass
            del paths[fd], held[fd]


def main():
    if sys.argv[1:2] == ["stall"]:
        stall(int(sys.argv[2]))
    wanted = os.environ.get("CELL", "")
    chosen = [c for c in cells() if re.search(wanted, c.name)]
    measure()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for cell, why in pool.map(try_cell, chosen):
            print(("ok %s: %s" if why is None else "not ok %s: %s") % (PASS, cell.name), flush=True)
            if why is not None or wanted:
                print("#   %s\n#   %s: %.1f s, %s %s" % (why, cell.outcome, cell.took,
                      cell.result() if cell.run else "", (read(cell.path("opened")), read(cell.path("out")))), flush=True)


main()
