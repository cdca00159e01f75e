/*
 * sandbox_enter.c - what a role is held to besides its system calls: see sandbox.h.
 *
 *	namespaces	its own user namespace, and in that whatever else it leaves.  It has no
 *			ids there and, at the end, no capability
 *	root		the directory in /proc of a process that has ended.  Nothing is in it,
 *			nothing can be made in it, and no file system has to be written to get it
 *	limits		none of what no role needs
 *	seal		sandbox.c
 *
 * A network namespace that is empty already, as cf-spawn makes one for the helpers of a run, is
 * kept: a new one takes a millisecond.  A PID namespace is for children, so cf-spawn makes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "log.h"

const struct sandbox_limit sandbox_limits[] = {
	{ RLIMIT_CORE,		"core",		"its memory is not for a disk" },
	{ RLIMIT_NPROC,		"nproc",	"no process and no thread" },
	{ RLIMIT_MEMLOCK,	"memlock",	"no memory that cannot be swapped" },
	{ RLIMIT_MSGQUEUE,	"msgqueue",	"no message queues" },
	{ 0, NULL, NULL }
};

/* Is there no address, and so no way? */
static bool
net_is_empty(void)
{
	struct ifconf ipv4 = { .ifc_len = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool empty = fd != -1 && ioctl(fd, SIOCGIFCONF, &ipv4) == 0 && ipv4.ifc_len == 0;
	char byte;

	if (fd != -1)
		close(fd);
	if (!empty)
		return false;
	fd = open("/proc/self/net/if_inet6", O_RDONLY | O_CLOEXEC);
	empty = fd == -1 ? errno == ENOENT : read(fd, &byte, 1) == 0;
	if (fd != -1)
		close(fd);
	return empty;
}

/* It has our root directory as long as it lives; then nobody can look into where that is. */
static int
take_root_along(void *arg)
{
	(void)arg;
	return chroot("/proc/self") == 0 && chdir("/") == 0 ? 0 : errno;
}

static int
root_leave(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int status;
	pid_t pid = clone(take_root_along, stack + sizeof(stack),
	    CLONE_FS | CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

	if (pid == -1)
		return errno;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void
apart(const struct sandbox_role *role)
{
	unsigned leaves = role->leaves;
	int err = 0;

	if ((leaves & CLONE_NEWNET) != 0 && net_is_empty())
		leaves &= ~(unsigned)CLONE_NEWNET;
	if (leaves != 0 && unshare((int)leaves) != 0)
		log_info("no namespaces of our own: %s (the system call filter has to do)",
		    strerror(errno));
	else if (!role->keeps_root && (err = root_leave()) != 0)
		log_info("no empty root: %s (the system call filter has to do)", strerror(err));
}

static void
limits_set(void)
{
	const struct rlimit none = { 0, 0 };

	for (const struct sandbox_limit *l = sandbox_limits; l->name != NULL; l++)
		if (setrlimit((__rlimit_resource_t)l->resource, &none) != 0)
			fatal("cannot set the limit of %s", l->name);
}

void
sandbox_enter(const struct sandbox_role *role)
{
	apart(role);
	(void)caps_bound(0);		/* needs a capability, which not every host lets us have here */
	if (caps_drop(0) != 0)
		fatal("cannot give up capabilities");
	limits_set();
	sandbox_seal(role->tables);
}
