/*
 * log.c - see log.h.
 *
 * One write(2) a line, so that lines of several processes do not mix; nothing is
 * opened, so it works behind every seal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LEN	1024

static const char	*log_name = "cf";
static int		 log_level;
static int		 fatal_status = 1;
static void		 (*on_fatal)(const char *);

void
log_init(const char *name, int verbose)
{
	log_name = name;
	log_level = verbose;
}

int
log_verbose(void)
{
	return log_level;
}

void
log_fatal_status(int status)
{
	fatal_status = status;
}

/* Bytes of the UTF-8 sequence at p that may be shown as it is; 0 when it may not. */
static size_t
utf8_shown(const uint8_t *p)
{
	static const struct { uint8_t mask, lead; uint32_t least; } form[] = {
		{ 0x80, 0x00, 0x20 }, { 0xe0, 0xc0, 0xa0 }, { 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 }
	};
	uint32_t c;

	for (size_t n = 0; n < 4; n++) {
		if ((p[0] & form[n].mask) != form[n].lead)
			continue;
		c = p[0] & (uint8_t)~form[n].mask;
		for (size_t i = 1; i <= n; i++) {
			if ((p[i] & 0xc0) != 0x80)	/* stops at the terminating zero too */
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		/* No C0, DEL, C1, surrogates, over-long forms, or bidirectional overrides. */
		if (c < form[n].least || c == 0x7f || (c >= 0xd800 && c < 0xe000) ||
		    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c > 0x10ffff)
			return 0;
		return n + 1;
	}
	return 0;
}

char *
log_escape(char *out, size_t outlen, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t at = 0, n;

	while (*p != '\0' && at + 5 < outlen) {
		if ((n = utf8_shown(p)) > 0) {
			memcpy(out + at, p, n);
			at += n;
			p += n;
		} else {
			at += (size_t)snprintf(out + at, outlen - at, "\\x%02x", *p++);
		}
	}
	out[at] = '\0';
	return out;
}

static void
line(const char *fmt, va_list ap, const char *error)
{
	char raw[LINE_MAX_LEN], text[LINE_MAX_LEN + 64];
	size_t len;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	len = (size_t)snprintf(text, 64, "%s: ", log_name);
	log_escape(text + len, sizeof(text) - len - 1, raw);
	len = strlen(text);
	if (error != NULL) {
		snprintf(text + len, sizeof(text) - len - 1, ": %s", error);
		len = strlen(text);
	}
	text[len++] = '\n';
	while (write(STDERR_FILENO, text, len) == -1 && errno == EINTR)
		;
}

#define LINE(error) do {			\
	int saved = errno;			\
	va_list ap;				\
	va_start(ap, fmt);			\
	line(fmt, ap, (error));			\
	va_end(ap);				\
	errno = saved;				\
} while (0)

void
log_warn(const char *fmt, ...)
{
	LINE(strerror(saved));
}

void
log_warnx(const char *fmt, ...)
{
	LINE(NULL);
}

void
log_info(const char *fmt, ...)
{
	if (log_level >= 1)
		LINE(NULL);
}

void
log_debug(const char *fmt, ...)
{
	if (log_level >= 2)
		LINE(NULL);
}

void
log_on_fatal(void (*fn)(const char *))
{
	on_fatal = fn;
}

/* The same text once more, for who asked for it; which may end by fatal() itself. */
static void
fatal_told(const char *fmt, va_list ap, const char *error)
{
	void (*fn)(const char *) = on_fatal;
	char text[LINE_MAX_LEN];
	size_t len;

	on_fatal = NULL;
	if (fn == NULL)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	if (error != NULL)
		snprintf(text + len, sizeof(text) - len, ": %s", error);
	fn(text);
}

#define TELL(error) do {			\
	va_list ap;				\
	va_start(ap, fmt);			\
	fatal_told(fmt, ap, (error));		\
	va_end(ap);				\
} while (0)

void
fatal(const char *fmt, ...)
{
	int err = errno;

	LINE(strerror(saved));
	TELL(strerror(err));
	_exit(fatal_status);
}

void
fatalx(const char *fmt, ...)
{
	LINE(NULL);
	TELL(NULL);
	_exit(fatal_status);
}
