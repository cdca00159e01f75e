/*
 * audittext.c - `cf-doctor audit` for a terminal.
 *
 * What comes here has been through audit_read().
 *
 * SPDX-License-Identifier: MIT
 */
#include "audit.h"

#include <stdbool.h>
#include <string.h>

#define CALL_COLUMN	34

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
print_list(FILE *f, const char *label, const json_t *list, const char *none)
{
	const json_t *one;
	size_t i;

	fprintf(f, "%s: %s", label, json_array_size(list) == 0 ? none : "");
	json_array_foreach(list, i, one) {
		fprintf(f, "%s%s", i > 0 ? ", " : "", json_string_value(one));
	}
	fputc('\n', f);
}

/* "ioctl, argument 1 is FIONBIO"; they count from 0, as in seccomp(2). */
static void
call_text(const json_t *row, char *out, size_t len)
{
	const json_t *a;
	size_t i, n;

	snprintf(out, len, "%s", text(row, "call"));
	json_array_foreach(json_object_get(row, "arguments"), i, a) {
		const char *means = text(a, "means"), *is = "is ";

		n = strlen(out);
		if (strncmp(means, "without ", 8) == 0)
			is = "";
		if (*means != '\0')
			snprintf(out + n, len - n, ", argument %d %s%s",
			    (int)json_integer_value(json_object_get(a, "argument")), is, means);
		else
			snprintf(out + n, len - n, ", argument %d & %s is %s",
			    (int)json_integer_value(json_object_get(a, "argument")), text(a, "mask"),
			    text(a, "value"));
	}
}

static void
print_row(FILE *f, const char *left, const char *reason)
{
	if (strlen(left) < CALL_COLUMN)
		fprintf(f, "      %-*s %s\n", CALL_COLUMN, left, reason);
	else
		fprintf(f, "      %s\n      %*s %s\n", left, CALL_COLUMN, "", reason);
}

/* Calls by which something is had that was not there: by name, address or number. */
static bool
opens(const char *name)
{
	static const char *const calls[] = { "open", "openat", "openat2", "socket", "socketpair",
	    "connect", "bind", "accept4", "pipe2", "memfd_create" };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i], name) == 0)
			return true;
	return false;
}

static void
print_calls(FILE *f, const json_t *calls, bool opening)
{
	const json_t *row;
	char left[256];
	size_t i;
	bool any = false;

	json_array_foreach(calls, i, row)
		if (!opening || opens(text(row, "call"))) {
			call_text(row, left, sizeof(left));
			print_row(f, left, text(row, "reason"));
			any = true;
		}
	if (!any)
		fputs("      nothing\n", f);
}

static void
print_role(FILE *f, const json_t *role)
{
	const json_t *given = json_object_get(role, "given"), *l;
	size_t i;

	fprintf(f, "\n  %s: %s\n", text(role, "role"), text(role, "does"));
	print_list(f, "    namespaces of its own", json_object_get(role, "namespaces"), "none");
	if (json_is_array(given))
		print_list(f, "    and from cf-spawn", given, "none");
	if (*text(role, "stays") != '\0')
		fprintf(f, "    it stays %s\n", text(role, "stays"));
	fprintf(f, "    file system: %s\n", strcmp(text(role, "root"), "empty") == 0 ?
	    "an empty root" : "the host's");
	fputs("    limits:", f);
	json_array_foreach(json_object_get(role, "limits"), i, l) {
		fprintf(f, "%s %s %d", i > 0 ? "," : "", text(l, "limit"),
		    (int)json_integer_value(json_object_get(l, "value")));
	}
	fputs("\n    may open or make, once sealed:\n", f);
	print_calls(f, json_object_get(role, "calls"), true);
	fputs("    system calls; any other ends it:\n", f);
	print_calls(f, json_object_get(role, "calls"), false);
}

static void
print_tree(FILE *f, const json_t *tree)
{
	const json_t *row;
	char left[256];
	size_t i;

	fputs("\n  the command tree: all but what is refused here\n"
	    "    families of sockets; any other fails with EAFNOSUPPORT:\n", f);
	json_array_foreach(json_object_get(tree, "families"), i, row) {
		print_row(f, text(row, "means"), text(row, "reason"));
	}
	fputs("    system calls that fail:\n", f);
	json_array_foreach(json_object_get(tree, "refused"), i, row) {
		snprintf(left, sizeof(left), "%s%s%s: %s", text(row, "call"),
		    *text(row, "condition") != '\0' ? ", argument " : "", text(row, "condition"),
		    text(row, "error"));
		print_row(f, left, text(row, "reason"));
	}
}

void
audit_print(FILE *f, const json_t *program)
{
	const json_t *role, *tree = json_object_get(program, "tree");
	size_t i;

	fprintf(f, "%s (%s)\n", text(program, "program"), text(program, "path"));
	print_list(f, "  links", json_object_get(program, "links"), "nothing");
	json_array_foreach(json_object_get(program, "roles"), i, role) {
		print_role(f, role);
	}
	if (tree != NULL)
		print_tree(f, tree);
}
