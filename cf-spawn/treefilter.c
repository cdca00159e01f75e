/*
 * treefilter.c - the system call filter that the command and all its children live under.
 *
 * A network namespace does not contain every kind of socket: AF_VSOCK reaches the
 * hypervisor from any of them, bluetooth and others know no namespaces at all.  The tree
 * keeps the families of the first table, for the reason given there; a family that is not
 * in it, also one that is yet to come, is refused as a kernel without it would.  The second
 * table has the calls that reach out by another way.
 *
 * By another table of numbers nothing is reached that ours refuses: the rules hold for
 * i386 (where socketcall, whose arguments no filter sees, is not there), and x32 does not
 * exist.
 *
 * Not refused, because it leads nowhere: nested user and network namespaces (all that is
 * made in them ends at their own, empty network), setns (no handle of an outside namespace
 * can be had), ptrace and its like (the user namespace refuses them for processes outside),
 * mount (in a nested namespace; our covers are locked there).  This is no sandbox for
 * everything: what a program does to files is not our matter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "audit.h"
#include "sandbox.h"
#include "spawn.h"

#define FAMILIES	64	/* AF_MAX is 46; the kernel itself refuses from there on */
#define NAMED(x)	x, #x
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const struct {
	int		 family;
	const char	*name, *why;
} families_kept[] = {
	{ NAMED(AF_UNSPEC),	"no family: the kernel says so" },
	{ NAMED(AF_UNIX),	"local; abstract names are the namespace's own, for paths see sockets.c" },
	{ NAMED(AF_INET),	"in the namespace, whose one way out is the TUN" },
	{ NAMED(AF_INET6),	"the same" },
	{ NAMED(AF_NETLINK),	"of the namespace; what is not answers only those with capabilities" },
	{ NAMED(AF_PACKET),	"of the namespace's interfaces, with CAP_NET_RAW in it" },
	{ NAMED(AF_ALG),	"cryptography, and no network" },
};

enum { ALWAYS = -1 };

/* Refused always, or where the lower half of argument `arg` is, or is not, `value`. */
static const struct refused {
	int		 call, arg;
	enum { IS, IS_NOT } how;
	unsigned	 value;
	const char	*value_name;
	int		 err;
	const char	*err_name, *why;
} refused[] = {
	{ SCMP_SYS(io_uring_setup), ALWAYS, IS, NAMED(0), NAMED(ENOSYS),
	  "makes and connects sockets without the calls that are filtered" },
	{ SCMP_SYS(io_uring_enter), ALWAYS, IS, NAMED(0), NAMED(ENOSYS), "the same, with a ring from elsewhere" },
	{ SCMP_SYS(io_uring_register), ALWAYS, IS, NAMED(0), NAMED(ENOSYS), "the same" },
	{ SCMP_SYS(ioctl), 1, IS, NAMED(TIOCSTI), NAMED(EPERM), "types into the terminal, for the shell outside" },
	{ SCMP_SYS(ioctl), 1, IS, NAMED(TIOCLINUX), NAMED(EPERM), "pastes into the console" },
	{ SCMP_SYS(request_key), 2, IS_NOT, NAMED(0), NAMED(ENOKEY),
	  "has the kernel run a program outside, which asks the host's resolvers (dns_resolver)" },
#if defined(__x86_64__)
	{ SCMP_SYS(socketcall), ALWAYS, IS, NAMED(0), NAMED(ENOSYS),
	  "i386: its arguments lie in memory; socket and the others are there too" },
#endif
};

static bool
family_kept(int family)
{
	for (size_t i = 0; i < COUNT(families_kept); i++)
		if (families_kept[i].family == family)
			return true;
	return false;
}

/* One row; err as the call's result. */
static int
refuse(scmp_filter_ctx ctx, const struct refused *r)
{
	struct scmp_arg_cmp is = { .arg = (unsigned)r->arg, .op = SCMP_CMP_MASKED_EQ,
	    .datum_a = UINT32_MAX, .datum_b = r->value };	/* the kernel ignores the upper half */
	struct scmp_arg_cmp is_not = { .arg = (unsigned)r->arg, .op = SCMP_CMP_NE,
	    .datum_a = r->value };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint32_t)r->err), r->call,
	    r->arg == ALWAYS ? 0 : 1, r->how == IS ? &is : &is_not);
}

/* Other tables of numbers: one that a program may really use gets the same rules. */
static int
tables_add(scmp_filter_ctx ctx)
{
	int rc = 0;

#if defined(__x86_64__)
	rc = seccomp_arch_add(ctx, SCMP_ARCH_X86);
#elif defined(__aarch64__)
	rc = seccomp_arch_add(ctx, SCMP_ARCH_ARM);
#endif
	if (rc != 0 && rc != -EEXIST)
		return rc;
	return seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
}

static int
filter_fill(scmp_filter_ctx ctx)
{
	int rc = tables_add(ctx);

	for (int family = 0; family < FAMILIES && rc == 0; family++)
		if (!family_kept(family))
			rc = refuse(ctx, &(struct refused){ .call = SCMP_SYS(socket), .how = IS,
			    .value = (unsigned)family, .err = EAFNOSUPPORT });
	for (size_t i = 0; i < COUNT(refused) && rc == 0; i++)
		rc = refuse(ctx, &refused[i]);
	return rc;
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

/* ---- cf-doctor audit ---- */

static void
families_audit(void)
{
	for (size_t i = 0; i < COUNT(families_kept); i++) {
		printf("%s{\"family\":%d,", i > 0 ? "," : "", families_kept[i].family);
		sandbox_audit_text("means", families_kept[i].name);
		putchar(',');
		sandbox_audit_text("reason", families_kept[i].why);
		putchar('}');
	}
}

static void
refused_audit(const struct refused *r)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, r->call), condition[64];

	snprintf(condition, sizeof(condition), "%d is %s%s", r->arg, r->how == IS ? "" : "not ",
	    r->value_name);
	putchar('{');
	sandbox_audit_text("call", name != NULL ? name : "another table's");
	putchar(',');
	sandbox_audit_text("condition", r->arg == ALWAYS ? NULL : condition);
	putchar(',');
	sandbox_audit_text("error", r->err_name);
	putchar(',');
	sandbox_audit_text("reason", r->why);
	putchar('}');
	free(name);
}

void
treefilter_audit(void)
{
	fputs(",\"tree\":{\"families\":[", stdout);
	families_audit();
	fputs("],\"refused\":[", stdout);
	for (size_t i = 0; i < COUNT(refused); i++) {
		fputs(i > 0 ? "," : "", stdout);
		refused_audit(&refused[i]);
	}
	fputs("]}", stdout);
}
