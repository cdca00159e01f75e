/*
 * runmsg.c - what joiners and runs say to each other, as bytes.
 *
 * The words of a command, its environment among them, are more than a datagram carries: they
 * come in a sealed memfd,
 *
 *	u32 magic  u32 umask  u32 terminal  u32 argc  u32 envc
 *	directory 0  argument 0 ...  variable 0 ...
 *
 * in the order of bytes of this machine.  Both ends are programs of one user, so what is held
 * against the form here is a mistake or another version rather than an attack; still nothing
 * behind it reads past an end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "runs.h"

#define WORDS_HEAD	5		/* numbers */

bool
runmsg_valid(struct run_msg *m, size_t len)
{
	if (len < RUN_HEAD || len > RUN_HEAD + RUN_TEXT_MAX || m->magic != RUN_MAGIC ||
	    m->type == 0 || m->type >= RUN_TYPES)
		return false;
	m->text[len - RUN_HEAD] = '\0';
	return true;
}

static size_t
list_len(char *const *list, uint32_t *n)
{
	size_t len = 0;

	for (*n = 0; list[*n] != NULL; ++*n)
		len += strlen(list[*n]) + 1;
	return len;
}

static char *
list_put(char *p, char *const *list)
{
	for (; *list != NULL; list++)
		p = stpcpy(p, *list) + 1;
	return p;
}

char *
runwords_put(const struct run_words *w, size_t *len)
{
	uint32_t head[WORDS_HEAD] = { RUN_MAGIC, w->mask, w->terminal };
	char *bytes, *p;

	*len = sizeof(head) + strlen(w->directory) + 1 + list_len(w->argv, &head[3]) +
	    list_len(w->envp, &head[4]);
	if (*len > RUN_WORDS_MAX || (bytes = malloc(*len)) == NULL)
		return NULL;
	memcpy(bytes, head, sizeof(head));
	p = stpcpy(bytes + sizeof(head), w->directory) + 1;
	list_put(list_put(p, w->argv), w->envp);
	return bytes;
}

/* The next one, if it has its end. */
static char *
string_get(char **p, size_t *left)
{
	char *s = *p, *end = memchr(s, '\0', *left);

	if (end == NULL)
		return NULL;
	*left -= (size_t)(end + 1 - s);
	*p = end + 1;
	return s;
}

static char **
list_get(char **p, size_t *left, uint32_t n)
{
	char **list;

	if (n > *left || (list = calloc((size_t)n + 1, sizeof(*list))) == NULL)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		if ((list[i] = string_get(p, left)) == NULL) {
			free(list);
			return NULL;
		}
	return list;
}

bool
runwords_get(char *bytes, size_t len, struct run_words *out)
{
	uint32_t head[WORDS_HEAD];
	size_t left;
	char *p;

	*out = (struct run_words){ .bytes = bytes };
	if (len < sizeof(head) || len > RUN_WORDS_MAX)
		return false;
	memcpy(head, bytes, sizeof(head));
	p = bytes + sizeof(head);
	left = len - sizeof(head);
	out->mask = head[1];
	out->terminal = head[2] == 1;
	return head[0] == RUN_MAGIC && head[1] <= 0777 && head[2] <= 1 && head[3] > 0 &&
	    (out->directory = string_get(&p, &left)) != NULL &&
	    (out->argv = list_get(&p, &left, head[3])) != NULL &&
	    (out->envp = list_get(&p, &left, head[4])) != NULL && left == 0;
}

void
runwords_free(struct run_words *w)
{
	free(w->argv);
	free(w->envp);
	free(w->bytes);
	*w = (struct run_words){ 0 };
}
