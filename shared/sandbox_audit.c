/*
 * sandbox_audit.c - --audit: what a program is held to, as JSON, from the tables that hold it.
 *
 *	{"program":"cf-x","roles":[{"role":"cf-x","does":"...","namespaces":["user",...],
 *	 "root":"empty","stays":null,"limits":[...],"calls":[...]}]}
 *
 * cf-doctor audit is on the other side, which also documents the members: cf-doctor(1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	unsigned	 flag;
	const char	*name;
} namespaces[] = {
	{ CLONE_NEWUSER, "user" }, { CLONE_NEWPID, "pid" }, { CLONE_NEWIPC, "ipc" },
	{ CLONE_NEWUTS, "uts" }, { CLONE_NEWNET, "net" }, { CLONE_NEWNS, "mount" },
};

/* Our own literals; still nothing in them may end a string. */
static void
put_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++)
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned)*s);
		else
			putchar(*s);
	putchar('"');
}

void
sandbox_audit_text(const char *key, const char *text)
{
	printf("\"%s\":", key);
	if (text == NULL)
		fputs("null", stdout);
	else
		put_string(text);
}

void
sandbox_audit_namespaces(unsigned leaves)
{
	const char *comma = "";

	fputs("\"namespaces\":[", stdout);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		if ((leaves & namespaces[i].flag) != 0) {
			printf("%s\"%s\"", comma, namespaces[i].name);
			comma = ",";
		}
	putchar(']');
}

/* The number in full, so that a test can be made of it; 64 bits are too many for some readers. */
static void
put_argument(const struct sandbox_arg *a)
{
	printf("{\"argument\":%u,\"mask\":\"0x%" PRIx64 "\",\"value\":\"0x%" PRIx64 "\",", a->index,
	    a->mask, a->value);
	sandbox_audit_text("means", a->text);
	putchar('}');
}

static void
put_row(const struct sandbox_row *row)
{
	putchar('{');
	sandbox_audit_text("call", row->name);
	printf(",\"number\":%d,\"arguments\":[", row->nr);
	for (unsigned i = 0; i < row->nargs; i++) {
		fputs(i > 0 ? "," : "", stdout);
		put_argument(&row->arg[i]);
	}
	fputs("],", stdout);
	sandbox_audit_text("reason", row->reason);
	putchar('}');
}

static void
put_calls(const struct sandbox_row *const *tables)
{
	const char *comma = "";

	fputs("\"calls\":[", stdout);
	for (; *tables != NULL; tables++)
		for (const struct sandbox_row *row = *tables; row->name != NULL; row++) {
			fputs(comma, stdout);
			put_row(row);
			comma = ",";
		}
	putchar(']');
}

static void
put_limits(void)
{
	fputs("\"limits\":[", stdout);
	for (const struct sandbox_limit *l = sandbox_limits; l->name != NULL; l++) {
		fputs(l != sandbox_limits ? ",{" : "{", stdout);
		sandbox_audit_text("limit", l->name);
		fputs(",\"value\":0,", stdout);
		sandbox_audit_text("reason", l->reason);
		putchar('}');
	}
	fputs("],", stdout);
}

static void
put_role(const struct sandbox_role *role)
{
	putchar('{');
	sandbox_audit_text("role", role->name);
	putchar(',');
	sandbox_audit_text("does", role->does);
	putchar(',');
	sandbox_audit_namespaces(role->leaves);
	putchar(',');
	sandbox_audit_text("root", role->keeps_root ? "kept" : "empty");
	putchar(',');
	sandbox_audit_text("stays", role->stays);
	putchar(',');
	put_limits();
	put_calls(role->tables);
	putchar('}');
}

void
sandbox_audit_asked(int argc, char *const *argv, const char *program,
    const struct sandbox_role *const *roles, void (*more)(void))
{
	if (argc != 2 || strcmp(argv[1], "--audit") != 0)
		return;
	putchar('{');
	sandbox_audit_text("program", program);
	fputs(",\"roles\":[", stdout);
	for (size_t i = 0; roles[i] != NULL; i++) {
		fputs(i > 0 ? "," : "", stdout);
		put_role(roles[i]);
	}
	putchar(']');
	if (more != NULL)
		more();
	puts("}");
	exit(fflush(stdout) == 0 ? 0 : 1);
}
