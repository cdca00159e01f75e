/*
 * netns.c - see netns.h and namespaces(7).
 *
 * SPDX-License-Identifier: MIT
 */
#include "netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

#define NAMED_DIR	"/run/netns"

static bool
is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 10;
}

static void
path_of(const struct netns *n, const char *what, char path[PATH_MAX])
{
	if (n->pid != 0)
		snprintf(path, PATH_MAX, "/proc/%d/ns/net", (int)n->pid);
	else if (strchr(what, '/') != NULL)
		snprintf(path, PATH_MAX, "%s", what);
	else
		snprintf(path, PATH_MAX, NAMED_DIR "/%s", what);
}

static bool
is_netns(int fd)
{
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

void
netns_find(struct netns *n, const char *what)
{
	char path[PATH_MAX];

	n->pid = is_number(what) ? atoi(what) : 0;
	path_of(n, what, path);
	if ((n->fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		fatal("cannot find the network namespace %s: %s%s", what, path,
		    errno == EACCES || errno == EPERM ?
		    " (it belongs to somebody else: root, or its owner, may look)" : "");
	if (!is_netns(n->fd))
		fatalx("%s is no network namespace", path);
}

void
netns_enter(const struct netns *n, const char *what)
{
	int owner;

	if (setns(n->fd, CLONE_NEWNET) == 0)
		return;
	if ((owner = ioctl(n->fd, NS_GET_USERNS)) == -1 ||
	    setns(owner, CLONE_NEWUSER) != 0 || setns(n->fd, CLONE_NEWNET) != 0)
		fatal("cannot enter the network namespace %s (root may, and who made the user namespace "
		    "that owns it)", what);
	close(owner);
}

void
netns_drop_rights(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &head, none) != 0)
		fatal("cannot give rights away");
}

int
netns_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool
is_in(const struct stat *ns, const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	return stat(path, &st) == 0 && st.st_ino == ns->st_ino && st.st_dev == ns->st_dev;
}

pid_t
netns_process(const struct netns *n, pid_t but)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	struct stat ns;
	pid_t pid = 0;

	if (proc == NULL || fstat(n->fd, &ns) != 0)
		fatal("cannot look for processes");
	while (pid == 0 && (e = readdir(proc)) != NULL)
		if (is_number(e->d_name) && atoi(e->d_name) != but && is_in(&ns, e->d_name))
			pid = atoi(e->d_name);
	closedir(proc);
	return pid;
}
