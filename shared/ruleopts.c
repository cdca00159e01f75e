/*
 * ruleopts.c - see ruleopts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ruleopts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"
#include "rulesfd.h"

#define READ_FIRST	65536

/* ---- the rows ---- */

static bool
keep(struct ruleopts *o, enum rules_source source, const char *text, char *why)
{
	size_t room = o->room == 0 ? 16 : o->room * 2;
	struct ruleopts_given *given = o->given;

	if (o->n == o->room) {
		if ((given = reallocarray(o->given, room, sizeof(*given))) == NULL) {
			snprintf(why, CLI_WHY_LEN, "out of memory");
			return false;
		}
		o->given = given;
		o->room = room;
	}
	given[o->n++] = (struct ruleopts_given){ .source = source, .text = text };
	return true;
}

#define SWITCH(name, bit)						\
bool									\
ruleopts_##name(void *conf, const char *arg, char *why)		\
{									\
	(void)arg, (void)why;						\
	((struct ruleopts *)conf)->switches |= (bit);			\
	return true;							\
}
#define RULE(name, source)						\
bool									\
ruleopts_##name(void *conf, const char *arg, char *why)		\
{									\
	return keep(conf, (source), arg, why);				\
}
SWITCH(offline, RULES_OFFLINE)
SWITCH(block_private, RULES_BLOCK_PRIVATE)
SWITCH(block_metadata, RULES_BLOCK_METADATA)
SWITCH(permissive, RULES_PERMISSIVE)
RULE(allow_cidr, RULES_ALLOW_CIDR)
RULE(deny_cidr, RULES_DENY_CIDR)
RULE(allow_domain, RULES_ALLOW_DOMAIN)
RULE(allow_domain_exact, RULES_ALLOW_DOMAIN_EXACT)
RULE(deny_domain, RULES_DENY_DOMAIN)
RULE(deny_domain_exact, RULES_DENY_DOMAIN_EXACT)
RULE(allow, RULES_ALLOW)
RULE(deny, RULES_DENY)
RULE(allow_file, RULES_ALLOW_FILE)
RULE(deny_file, RULES_DENY_FILE)
RULE(quota, RULES_QUOTA)
#undef SWITCH
#undef RULE

bool
ruleopts_default_policy(void *conf, const char *arg, char *why)
{
	struct ruleopts *o = conf;
	bool deny = strcmp(arg, "deny") == 0;

	if (!deny && strcmp(arg, "allow") != 0) {
		snprintf(why, CLI_WHY_LEN, "it is neither allow nor deny");
		return false;
	}
	o->default_said = true;
	o->switches = deny ? o->switches | RULES_DEFAULT_DENY : o->switches & ~RULES_DEFAULT_DENY;
	return true;
}

/* ---- what they make ---- */

bool
ruleopts_any(const struct ruleopts *o)
{
	return o->n > 0 || o->switches != 0;
}

static bool
is_list(const struct ruleopts_given *g)
{
	return g->source == RULES_ALLOW || g->source == RULES_ALLOW_FILE;
}

unsigned
ruleopts_switches(const struct ruleopts *o)
{
	bool list = false;

	for (size_t i = 0; i < o->n; i++)
		list = list || is_list(&o->given[i]);
	return o->switches | (list && !o->default_said ? RULES_DEFAULT_DENY : 0);
}

/* Room for more of a file; NULL: *why, and nothing is freed. */
static char *
buf_grow(char *buf, size_t *room, const char **why)
{
	char *more;

	if (*room >= RULEOPTS_FILE_MAX) {
		*why = "it is larger than 64 MiB";
		return NULL;
	}
	*room = *room == 0 ? READ_FIRST : 2 * *room;
	if ((more = realloc(buf, *room)) == NULL)
		*why = "out of memory";
	return more;
}

/* All of a file, which may be a pipe; NULL: *why. */
static char *
fd_read(int fd, size_t *len, const char **why)
{
	char *buf = NULL, *more;
	size_t room = 0;
	ssize_t n;

	*len = 0;
	for (;;) {
		if (*len == room) {
			if ((more = buf_grow(buf, &room, why)) == NULL)
				break;
			buf = more;
		}
		n = read(fd, buf + *len, room - *len);
		if (n == 0)
			return buf;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR) {
			*why = strerror(errno);
			break;
		}
	}
	free(buf);
	return NULL;
}

static bool
add_file(struct rulebook *book, const struct ruleopts_given *g, char why[RULEOPTS_WHY])
{
	int fd = open(g->text, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const char *reason = fd == -1 ? strerror(errno) : NULL;
	struct rulebook_error err;
	char *bytes = NULL;
	size_t len = 0;
	bool ok;

	if (fd != -1) {
		bytes = fd_read(fd, &len, &reason);
		close(fd);
	}
	if (bytes == NULL) {
		snprintf(why, RULEOPTS_WHY, "cannot read %s %.600s: %s (is the path right, and "
		    "readable for you?)", rules_sources[g->source].option, g->text, reason);
		return false;
	}
	ok = rulebook_add_file(book, g->source, g->text, bytes, len, &err);
	if (!ok)
		snprintf(why, RULEOPTS_WHY, "%s: %s (cf-policy(7) has the grammar)",
		    rules_sources[g->source].option, err.text);
	free(bytes);
	return ok;
}

static bool
add(struct rulebook *book, const struct ruleopts_given *g, char why[RULEOPTS_WHY])
{
	struct rulebook_error err;

	if (g->source == RULES_ALLOW_FILE || g->source == RULES_DENY_FILE)
		return add_file(book, g, why);
	if (g->source == RULES_QUOTA ? rulebook_add_quota(book, g->text, &err) :
	    rulebook_add(book, g->source, g->text, &err))
		return true;
	snprintf(why, RULEOPTS_WHY, "%s (cf-policy(7) has the grammar)", err.text);
	return false;
}

void *
ruleopts_compile(const struct ruleopts *o, size_t *out_len, char why[RULEOPTS_WHY])
{
	struct rulebook *book = rulebook_new(ruleopts_switches(o));
	uint8_t seed[SIPHASH_KEY_LEN];
	const char *reason = "out of memory";
	void *flat = NULL;

	*why = '\0';
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		reason = "the kernel has no random numbers";
	else if (book != NULL) {
		for (size_t i = 0; i < o->n; i++)
			if (!add(book, &o->given[i], why))
				goto out;
		flat = rulebook_compile(book, seed, out_len, &reason);
	}
	if (flat == NULL)
		snprintf(why, RULEOPTS_WHY, "cannot compile the rules: %s", reason);
out:
	rulebook_free(book);
	return flat;
}

void
ruleopts_done(struct ruleopts *o)
{
	free(o->given);
	*o = (struct ruleopts){ 0 };
}

int
ruleopts_fd(const struct ruleopts *rules)
{
	char why[RULEOPTS_WHY];
	size_t len;
	void *buf;
	int fd;

	if (!ruleopts_any(rules))
		return -1;
	if ((buf = ruleopts_compile(rules, &len, why)) == NULL) {
		log_fatal_status(2);
		fatalx("%s", why);
	}
	if ((fd = rulesfd_make(buf, len)) == -1)
		fatal("cannot keep the rules in memory");
	free(buf);
	return fd;
}
