/*
 * treefilter.c - the system call filter that the command and all its children live under.
 *
 * A network namespace does not contain every kind of socket: AF_VSOCK reaches the
 * hypervisor from any of them, bluetooth and others know no namespaces at all.  The tree
 * keeps the families that the namespace does contain.  io_uring makes sockets without the
 * socket call, so it is not there; TIOCSTI and TIOCLINUX type into somebody else's
 * terminal.  By another table of numbers nothing is reached that ours refuses:
 * i386 has no socketcall, x32 does not exist.
 *
 * This is no sandbox for everything: what a program does to files is not our matter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "spawn.h"

#define FAMILIES	64	/* AF_MAX is 46; room for those to come */

/* In a namespace of its own, or local and no network at all (AF_ALG: cryptography). */
static const int families_kept[] = { AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET,
    AF_ALG };

static bool
family_kept(int family)
{
	for (size_t i = 0; i < sizeof(families_kept) / sizeof(families_kept[0]); i++)
		if (families_kept[i] == family)
			return true;
	return false;
}

/* Refuse the call with err when int argument `arg` is `value`. */
static int
refuse_value(scmp_filter_ctx ctx, int call, unsigned arg, unsigned value, int err)
{
	struct scmp_arg_cmp cmp = { .arg = arg, .op = SCMP_CMP_MASKED_EQ,
	    .datum_a = UINT32_MAX, .datum_b = value };	/* the kernel ignores the upper half */

	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint32_t)err), call, 1, &cmp);
}

static int
filter_fill(scmp_filter_ctx ctx)
{
	int rc;

	/* Other tables of numbers: one that a program may really use gets the same rules. */
#if defined(__x86_64__)
	if ((rc = seccomp_arch_add(ctx, SCMP_ARCH_X86)) != 0 && rc != -EEXIST)
		return rc;
#elif defined(__aarch64__)
	if ((rc = seccomp_arch_add(ctx, SCMP_ARCH_ARM)) != 0 && rc != -EEXIST)
		return rc;
#endif
	if ((rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS))) != 0)
		return rc;
	for (int family = 0; family < FAMILIES; family++) {
		if (family_kept(family))
			continue;
		if ((rc = refuse_value(ctx, SCMP_SYS(socket), 0, (unsigned)family,
		    EAFNOSUPPORT)) != 0)
			return rc;
	}
	if ((rc = refuse_value(ctx, SCMP_SYS(ioctl), 1, TIOCSTI, EPERM)) != 0 ||
	    (rc = refuse_value(ctx, SCMP_SYS(ioctl), 1, TIOCLINUX, EPERM)) != 0)
		return rc;
	if ((rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0)) != 0)
		return rc;
#if defined(__x86_64__)
	if ((rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(socketcall), 0)) != 0)
		return rc;
#endif
	return 0;
}

int
treefilter_load(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	if (ctx == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if ((rc = filter_fill(ctx)) == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	errno = -rc;
	return rc == 0 ? 0 : -1;
}
