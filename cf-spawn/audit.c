/*
 * audit.c - see audit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "audit.h"

#include "sandbox.h"
#include "watcher.h"

static void
more(void)
{
	treefilter_audit();
	helpers_audit();
}

void
audit_asked(int argc, char *const *argv)
{
	static const struct sandbox_role *const roles[] = { &watcher_role, NULL };

	sandbox_audit_asked(argc, argv, "cf-spawn", roles, more);
}
