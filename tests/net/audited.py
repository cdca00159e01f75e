#!/usr/bin/env python3
# audited.py - are the processes of a run what cf-doctor audit says?
#
#	audited.py live AUDIT.json SPAWN-PID	reads /proc of each helper; prints "PID ROLE"
#	audited.py calls AUDIT.json TRACE...	files of strace -ff -e raw=...; prints "ROLE CALLS"
#	audited.py rows AUDIT.json TRACE...	rows that no call was made by
#	audited.py find TEXT PID ...		prints "PID HITS" of the text in its memory
#
# Each difference is a line on standard error, and the status is 1.
# SPDX-License-Identifier: MIT
import json
import os
import re
import sys

LIMITS = {"core": "Max core file size", "nproc": "Max processes",
          "memlock": "Max locked memory", "msgqueue": "Max msgqueue size"}
CAPS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NAMESPACES = {"user": "user", "pid": "pid", "ipc": "ipc", "uts": "uts", "net": "net"}
wrong = 0


def differ(who, what):
    global wrong
    wrong += 1
    print(f"{who}: {what}", file=sys.stderr)


def roles_of(path):
    with open(path) as f:
        return {r["role"]: r for p in json.load(f)["programs"] for r in p["roles"]}


def role_name(argv):
    program = os.path.basename(argv[0])
    if program == "cf-proxy":
        return "cf-proxy (policy)" if "--policy" in argv else "cf-proxy (dialler)"
    if program == "cf-doctor":
        return f"cf-doctor ({argv[1]})"
    return "cf-spawn (watcher)" if program == "cf-watcher" else program


def text(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read().decode(errors="replace")


# ---- live ----

def check_status(who, pid, role):
    status = dict(l.split(":\t", 1) for l in text(pid, "status").splitlines() if ":\t" in l)
    for key, want in [("NoNewPrivs", "1"), ("Seccomp", "2"), ("Threads", "1")]:
        if status[key].strip() != want:
            differ(who, f"{key} is {status[key]}, not {want}")
    for key in CAPS:
        # To bound what no program can give any more takes a capability, or a user namespace.
        if key == "CapBnd" and "user" not in role["namespaces"] and int(status["Uid"].split()[0]):
            continue
        if int(status[key], 16) != 0:
            differ(who, f"{key} is {status[key]}")
    ids = status["NSpid"].split()
    if "pid" in (role["given"] or []) and (len(ids) < 2 or ids[-1] != "1"):
        differ(who, f"NSpid is {ids}")
    if os.stat(f"/proc/{pid}/environ").st_uid == int(status["Uid"].split()[0]) != 0:
        differ(who, "it is dumpable")


def check_namespaces(who, pid, role, spawn):
    own = set(role["namespaces"]) | set(role["given"] or [])
    for name, link in NAMESPACES.items():
        same = os.readlink(f"/proc/{pid}/ns/{link}") == os.readlink(f"/proc/{spawn}/ns/{link}")
        if same == (name in own):
            differ(who, f"its {name} namespace is {'the host' if same else 'not the host'}'s")
    if "net" in own and (text(pid, "net/if_inet6") or len(text(pid, "net/route").split("\n")) > 2):
        differ(who, "its network is not empty")


def check_files(who, pid, role):
    if role["root"] == "empty":
        for link in ("root", "cwd"):
            try:
                there = os.listdir(f"/proc/{pid}/{link}")
            except OSError:
                there = []
            if there or os.readlink(f"/proc/{pid}/{link}") == "/":
                differ(who, f"its {link} is not empty")
    for fd in os.listdir(f"/proc/{pid}/fd"):
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
        if role["root"] == "kept" and link.startswith("/proc"):
            continue
        if os.path.isdir(f"/proc/{pid}/fd/{fd}") or re.match(r"(net|user|mnt|pid|ipc|uts):", link):
            differ(who, f"it holds {link}")


def check_limits(who, pid, role):
    limits = text(pid, "limits")
    for limit in role["limits"]:
        name = LIMITS[limit["limit"]]
        found = re.search(rf"^{name} +(\S+) +(\S+)", limits, re.M)
        if found.groups() != (str(limit["value"]),) * 2:
            differ(who, f"{name} is {found.groups()}")


def live(audit, spawn):
    roles = roles_of(audit)
    for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
        try:
            comm = text(pid, "comm").strip()
            argv = text(pid, "cmdline").split("\0")[:-1]
        except OSError:
            continue
        if not comm.startswith("cf-") or comm == "cf-spawn" or not argv:
            continue
        who = role_name([comm] if comm == "cf-watcher" else argv)
        role = roles[who]
        check_status(who, pid, role)
        check_namespaces(who, pid, role, spawn)
        check_files(who, pid, role)
        check_limits(who, pid, role)
        if text(pid, "environ") and who != "cf-spawn (watcher)":
            differ(who, "it has an environment")
        print(pid, who)


# ---- calls ----

def trace_read(path):
    """Its role, and the calls after the seal, each a name and numbers."""
    who, sealed, calls = None, False, []
    with open(path, errors="replace") as f:
        for line in f:
            found = re.match(r"(\w+)\((.*)", line)
            if not found:
                continue
            name, rest = found.groups()
            if name in ("execve", "execveat"):
                argv = re.search(r"\[(\".*?\")\]", rest)
                who = role_name(re.findall(r'"((?:[^"\\]|\\.)*)"', argv.group(1))) if argv else None
                sealed = False
            elif name == "prctl" and "PR_SET_NAME" in rest and who is None:
                # It executes nothing.  (Its memory, and so the name, only root's strace sees.)
                who = "cf-spawn (watcher)"
            elif name == "seccomp" and re.match(r"0x1, .*= 0$", rest):
                sealed, calls = True, []
            elif sealed:
                args = re.findall(r"0x[0-9a-f]+|(?<![\w.])\d+", rest.split(") ")[0])
                calls.append((name, [int(a, 0) for a in args]))
    return who, calls if sealed else []


def row_allows(row, args):
    for check in row["arguments"]:
        mask, value = int(check["mask"], 0), int(check["value"], 0)
        if check["argument"] < len(args) and args[check["argument"]] & mask != value:
            return False
    return True


def calls_of(audit, traces):
    """For each role that lived: its rows, the numbers of those that were used, how many calls."""
    roles, seen = roles_of(audit), {}
    for path in traces:
        who, calls = trace_read(path)
        if who not in roles or not calls:
            continue
        rows = roles[who]["calls"]
        used, n = seen.setdefault(who, (set(), 0))
        for name, args in calls:
            by = [i for i, r in enumerate(rows) if r["call"] == name and row_allows(r, args)]
            used.update(by)
            if not by:
                differ(who, f"no row for {name}({', '.join(map(hex, args))})")
        seen[who] = (used, n + len(calls))
    return roles, seen


def main(argv):
    if argv[1] == "live":
        live(argv[2], argv[3])
    elif argv[1] == "calls":
        for who, (_, n) in sorted(calls_of(argv[2], argv[3:])[1].items()):
            print(who, n)
    elif argv[1] == "rows":
        roles, seen = calls_of(argv[2], argv[3:])
        for who, (used, _) in sorted(seen.items()):
            for i, row in enumerate(roles[who]["calls"]):
                if i not in used:
                    print(f"{who}: {row['call']} {[a['means'] for a in row['arguments']]}")
    elif argv[1] == "find":
        for pid in argv[3:]:
            print(pid, find(pid, argv[2].encode()))
    return 1 if wrong else 0


# ---- memory ----

def find(pid, needle):
    hits = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in text(pid, "maps").splitlines():
            span, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            low, high = (int(x, 16) for x in span.split("-"))
            mem.seek(low)
            try:
                hits += mem.read(high - low).count(needle)
            except OSError:
                pass
    return hits


sys.exit(main(sys.argv))
