/*
 * host.c - what the host's files say: limits, policies, containers, programs, leftovers.
 *
 * Most of this explains what spaces.c finds by trying.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- programs ---- */

void
check_commands(struct finding *f)
{
	static const struct { const char *name, *of; } programs[] = {
		{ "cf-netstack", NULL }, { "cf-dns", NULL }, { "cf-proxy", NULL },
		{ "cf-capture", "--capture" }, { "cf-upstream", "--proxy" },
		{ "cf-upstream-tls", "--proxy https://" }, { "cf-listen", "--proxy" },
		{ "cf-toml", "--profile" },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < COUNT(programs); i++) {
		snprintf(path, sizeof(path), "%s/%s", paths_libexec, programs[i].name);
		if (access(path, X_OK) == 0)
			continue;
		bad(f, "install childflow again, or the package that has it", "no %s%s%s", path,
		    programs[i].of != NULL ? ", which is needed for " : "",
		    programs[i].of != NULL ? programs[i].of : "");
		f->lesser = programs[i].of != NULL;
		return;
	}
	good(f, "the helpers are in %s; no other program is needed", paths_libexec);
}

/* ---- limits and policies on namespaces ---- */

void
check_quota(struct finding *f)
{
	static const char *const kinds[] = { "user", "net", "mnt" };
	char path[64], said[128] = "";
	size_t len = 0;
	long n;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kinds[i]);
		n = doctor_number(path);
		if (n == 0) {
			snprintf(path, sizeof(path), "sysctl -w user.max_%s_namespaces=15000",
			    kinds[i]);
			bad(f, path, "user.max_%s_namespaces is 0", kinds[i]);
			return;
		}
		if (n > 0)
			len += (size_t)snprintf(said + len, sizeof(said) - len, "%s%s=%ld",
			    len > 0 ? ", " : "", kinds[i], n);
	}
	good(f, "%s", len > 0 ? said : "the kernel has no such limits");
}

/* Debian's kernels have the switch, and others of that descent. */
void
check_settings(struct finding *f)
{
	long clone = doctor_number("/proc/sys/kernel/unprivileged_userns_clone");

	if (clone == 0 && geteuid() != 0)
		bad(f, "sysctl -w kernel.unprivileged_userns_clone=1",
		    "kernel.unprivileged_userns_clone is 0: only root may make user namespaces");
	else
		good(f, clone == -1 ? "this kernel has no such switch" :
		    "kernel.unprivileged_userns_clone is %ld", clone);
}

bool
host_apparmor_restricts(void)
{
	return geteuid() != 0 &&
	    doctor_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
}

/* A label of a security module, as one line. */
static const char *
label(const char *path, char buf[DOCTOR_FILE_MAX])
{
	if (doctor_read(path, buf) <= 0)
		return "none";
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

void
check_apparmor(struct finding *f)
{
	char buf[DOCTOR_FILE_MAX];

	/* The restriction leaves whom a profile with "userns," covers: so it is tried. */
	if (host_apparmor_restricts() && !spaces_made())
		bad(f, HINT_APPARMOR, "kernel.apparmor_restrict_unprivileged_userns is 1");
	else
		good(f, "nothing is restricted (label: %.100s)",
		    label("/proc/self/attr/apparmor/current", buf));
}

void
check_selinux(struct finding *f)
{
	long enforce = doctor_number("/sys/fs/selinux/enforce");
	char buf[DOCTOR_FILE_MAX];

	if (enforce == -1)
		good(f, "SELinux is not there");
	else if (enforce == 1 && !spaces_made())
		bad(f, "see whether it was SELinux: ausearch -m avc -ts recent; then allow "
		    "user_namespace create to this domain",
		    "SELinux enforces, and something refuses namespaces or the TUN (domain: %.100s)",
		    label("/proc/self/attr/current", buf));
	else
		good(f, "SELinux %s and refuses nothing that a run needs",
		    enforce == 1 ? "enforces" : "only warns");
}

/* ---- containers ---- */

enum kind { DOCKER, PODMAN, KUBERNETES, LXC, WSL, NSPAWN, OTHER };

static const struct { const char *name, *hint; } kinds[] = {
	[DOCKER] = { "Docker", "docker run --security-opt seccomp=unconfined --security-opt "
	    "apparmor=unconfined --security-opt systempaths=unconfined --device /dev/net/tun" },
	[PODMAN] = { "Podman", "podman run --security-opt seccomp=unconfined --security-opt "
	    "unmask=ALL --device /dev/net/tun" },
	[KUBERNETES] = { "Kubernetes", "securityContext: seccompProfile: {type: Unconfined}, "
	    "procMount: Unmasked, and a device plugin that gives /dev/net/tun" },
	[LXC] = { "LXC", "lxc config set NAME security.nesting true, and a unix-char device "
	    "/dev/net/tun (or lxc.mount.entry for it)" },
	[WSL] = { "WSL", "wsl --set-version DISTRIBUTION 2 (version 1 has no namespaces)" },
	[NSPAWN] = { "systemd-nspawn", "systemd-nspawn --bind=/dev/net/tun "
	    "--property=DeviceAllow='/dev/net/tun rw'" },
	[OTHER] = { "a container", HINT_CONTAINER ", and give it /dev/net/tun" },
};

/* A file is there, and where a word is given has it: then it is one of these. */
static const struct { const char *path, *word; enum kind kind; } signs[] = {
	{ "/var/run/secrets/kubernetes.io", NULL, KUBERNETES },
	{ "/proc/self/cgroup", "kubepods", KUBERNETES },
	{ "/run/.containerenv", NULL, PODMAN },
	{ "/proc/self/cgroup", "libpod", PODMAN },
	{ "/.dockerenv", NULL, DOCKER },
	{ "/proc/self/cgroup", "docker", DOCKER },
	{ "/run/systemd/container", "podman", PODMAN },
	{ "/run/systemd/container", "docker", DOCKER },
	{ "/run/systemd/container", "lxc", LXC },
	{ "/proc/self/cgroup", "/lxc", LXC },
	{ "/dev/.lxc-boot-id", NULL, LXC },
	{ "/run/systemd/container", "nspawn", NSPAWN },
	{ "/proc/sys/kernel/osrelease", "icrosoft", WSL },
	{ "/run/systemd/container", NULL, OTHER },
};

/* -1: none that is known. */
static int
container_kind(void)
{
	char buf[DOCTOR_FILE_MAX];

	for (size_t i = 0; i < COUNT(signs); i++)
		if (signs[i].word == NULL ? doctor_exists(signs[i].path) :
		    doctor_read(signs[i].path, buf) > 0 && strstr(buf, signs[i].word) != NULL)
			return (int)signs[i].kind;
	return -1;
}

const char *
host_container(void)
{
	int kind = container_kind();

	return kind == -1 ? NULL : kinds[kind].name;
}

void
check_container(struct finding *f)
{
	int kind = container_kind();

	if (kind == -1)
		good(f, "this is none that is known");
	else if (spaces_made())
		good(f, "%s, which allows what a run needs", kinds[kind].name);
	else
		bad(f, kinds[kind].hint, "%s, which does not allow what a run needs", kinds[kind].name);
}

/* ---- more ids ---- */

void
check_uidmap(struct finding *f)
{
	static const char *const programs[] = { "/usr/bin/newuidmap", "/usr/bin/newgidmap" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK) != 0) {
			bad(f, "apt install uidmap (only --map-subids needs it)", "no %s",
			    programs[i]);
			return;
		}
	good(f, "newuidmap and newgidmap are there");
}

void
check_subids(struct finding *f)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	const struct passwd *pw = getpwuid(getuid());
	const char *user = pw != NULL ? pw->pw_name : "";
	char text[DOCTOR_FILE_MAX];
	unsigned long n;
	ssize_t len;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		len = doctor_read(files[i], text);
		n = len > 0 ? subid_parse(text, (size_t)len, user, getuid()) : 0;
		if (n == 0) {
			bad(f, "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER "
			    "(only --map-subids needs it)", "no ids for uid %u in %s", getuid(),
			    files[i]);
			return;
		}
	}
	good(f, "there are ids for uid %u", getuid());
}


/* ---- what crashed runs have left ---- */

#define DIRECTORY_PREFIX	"childflow."	/* of --capture-keys, with a FIFO "keys" in it */

/* The parent of a process that has a helper's name; -1: it is none, or not ours. */
static long
helper_parent(const char *pid, char name[32])
{
	static const char *const names[] = { "cf-netstack", "cf-dns", "cf-proxy", "cf-capture",
	    "cf-upstream", "cf-upstream-tls", "cf-listen", "cf-watcher" };
	char path[300], buf[DOCTOR_FILE_MAX], value[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	if ((len = doctor_read(path, buf)) <= 0 ||
	    !status_parse(buf, (size_t)len, "Name", name, 32) ||
	    !status_parse(buf, (size_t)len, "Uid", value, sizeof(value)) ||
	    strtoul(value, NULL, 10) != getuid() ||
	    !status_parse(buf, (size_t)len, "State", value, sizeof(value)) || value[0] == 'Z' ||
	    !status_parse(buf, (size_t)len, "PPid", value, sizeof(value)))
		return -1;
	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return strtol(value, NULL, 10);
	return -1;
}

/* Helpers are children of their cf-spawn, and go with it; one of process 1 has lost it. */
static unsigned
left_processes(char *text, size_t size)
{
	char path[PATH_MAX], name[32];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc", doctor_root);
	if ((dir = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) && helper_parent(e->d_name, name) == 1 &&
		    n++ == 0)
			snprintf(text, size, "process %.16s (%s)", e->d_name, name);
	closedir(dir);
	return n;
}

/* Whoever still runs reads its FIFO; opening one that nobody reads fails and changes nothing. */
static bool
directory_left(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%.3000s/keys", dir);
	if (stat(path, &st) != 0 || !S_ISFIFO(st.st_mode) || st.st_uid != getuid())
		return false;
	if ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) == -1)
		return true;
	close(fd);
	return false;
}

static unsigned
left_directories(char *text, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s%.2000s", doctor_root,
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if ((dir = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		char one[PATH_MAX + NAME_MAX + 2];

		snprintf(one, sizeof(one), "%s/%s", path, e->d_name);
		if (strncmp(e->d_name, DIRECTORY_PREFIX, strlen(DIRECTORY_PREFIX)) == 0 &&
		    directory_left(one) && n++ == 0)
			snprintf(text, size, "%.200s", one);
	}
	closedir(dir);
	return n;
}

void
check_leftovers(struct finding *f)
{
	char process[256] = "", directory[256] = "", hint[512];
	unsigned processes = left_processes(process, sizeof(process));
	unsigned directories = left_directories(directory, sizeof(directory));

	if (processes > 0) {
		snprintf(hint, sizeof(hint), "kill %lu", strtoul(process + strlen("process "), NULL, 10));
		bad(f, hint, "%s has lost its cf-spawn%s", process,
		    processes > 1 ? ", and there are more" : "");
	} else if (directories > 0) {
		snprintf(hint, sizeof(hint), "rm -r %s", directory);
		bad(f, hint, "%s is of no run%s", directory,
		    directories > 1 ? ", and there are more" : "");
	} else {
		good(f, "crashed runs have left nothing");
	}
}
