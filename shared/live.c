/*
 * live.c - see live.h.
 *
 * What was seen is a table of keyed hashes without chains: where two fall on one place the older
 * is forgotten, and told of as new when it comes again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "live.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "siphash.h"

#define SEEN_MAX	4096		/* places, a power of two */
#define TEXT_MAX	1500

static struct {
	bool		 color;
	uint8_t		 key[SIPHASH_KEY_LEN];
	struct {
		uint64_t hash, times;
	} seen[SEEN_MAX];
} live;

static const char *const colors[] = {
	[LIVE_PLAIN] = "", [LIVE_GOOD] = "\x1b[32m", [LIVE_BAD] = "\x1b[1;31m",
	[LIVE_FAILED] = "\x1b[33m",
};

void
live_init(bool color)
{
	memset(&live, 0, sizeof(live));
	live.color = color;
	tzset();
	if (getrandom(live.key, sizeof(live.key), 0) != (ssize_t)sizeof(live.key))
		fatal("cannot get random numbers");
}

bool
live_wanted(void)
{
	return log_verbose() >= 1;
}

/* How often it was seen, this time included. */
static uint64_t
seen(const char *kind, const char *word, const char *what)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s %s %s", kind, word, what);
	uint64_t hash = siphash(live.key, text, n < TEXT_MAX ? (size_t)n : TEXT_MAX - 1);
	size_t at = hash & (SEEN_MAX - 1);

	if (live.seen[at].hash != hash)
		live.seen[at].times = 0;
	live.seen[at].hash = hash;
	return ++live.seen[at].times;
}

static void
clock_text(char out[16])
{
	time_t now = time(NULL);
	struct tm tm;

	/* Not localtime(3), which looks for a new time zone file: behind the seal it could not. */
	if (localtime_r(&now, &tm) == NULL || strftime(out, 16, "%H:%M:%S", &tm) == 0)
		snprintf(out, 16, "--:--:--");
}

void
live_say(enum live_verdict verdict, const char *kind, const char *word, const char *what,
    const char *detail)
{
	char clock[16], times[40] = "", raw[TEXT_MAX], text[TEXT_MAX], out[TEXT_MAX + 128];
	const char *on = live.color ? colors[verdict] : "";
	uint64_t n;
	int len;

	if (!live_wanted())
		return;
	n = seen(kind, word, what);
	if (n > 1 && (n & (n - 1)) != 0 && log_verbose() < 2)
		return;
	if (n > 1)
		snprintf(times, sizeof(times), " [seen %llux]", (unsigned long long)n);
	clock_text(clock);
	snprintf(raw, sizeof(raw), "%s%s%s", what, *detail != '\0' ? " " : "", detail);
	log_escape(text, sizeof(text), raw);
	len = snprintf(out, sizeof(out), "[childflow] %s %-4s %s%-8s%s %s%s\n", clock, kind, on, word,
	    *on != '\0' ? "\x1b[0m" : "", text, times);
	if (len >= (int)sizeof(out))
		len = (int)sizeof(out) - 1;
	while (write(STDERR_FILENO, out, (size_t)len) == -1 && errno == EINTR)
		;
}
