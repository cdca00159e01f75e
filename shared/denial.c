/*
 * denial.c - see denial.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "denial.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"
#include "siphash.h"

#define REPEATED_LINES	16	/* said at the end, each on a line of its own */

/* A denial that was told.  Two with the same keyed hash are taken for one. */
struct told {
	uint64_t	 hash, times;
	bool		 permitted;
	char		 what[DENIAL_TEXT];
};

static struct {
	int		 count_fd;
	uint8_t		 key[SIPHASH_KEY_LEN];
	struct told	 told[DENIAL_LINES];
	size_t		 n;
	uint64_t	 untold;
} denials = { .count_fd = -1 };

void
denial_init(int count_fd)
{
	memset(&denials, 0, sizeof(denials));
	denials.count_fd = count_fd;
	if (getrandom(denials.key, sizeof(denials.key), 0) != (ssize_t)sizeof(denials.key))
		fatal("cannot get random numbers");
}

static void
count_one(void)
{
	const uint64_t one = 1;
	static bool said;

	if (denials.count_fd == -1)
		return;
	while (write(denials.count_fd, &one, sizeof(one)) == -1)
		if (errno != EINTR) {
			if (!said)
				log_warn("cannot count a refusal; --fail-on-leak may miss it");
			said = true;
			return;
		}
}

static uint64_t
hash_of(const char *what, const char *reason)
{
	char both[2048];
	int n = snprintf(both, sizeof(both), "%s\n%s", what, reason);

	return siphash(denials.key, both, n < (int)sizeof(both) ? (size_t)n : sizeof(both) - 1);
}

static void
tell_new(const char *what, const char *reason, const char *hint, uint64_t hash, bool permitted)
{
	struct told *t = &denials.told[denials.n++];

	*t = (struct told){ .hash = hash, .times = 1, .permitted = permitted };
	snprintf(t->what, sizeof(t->what), "%s", what);
	log_warnx("%s: %s%s%s%s", what, permitted ? "would be " : "", reason,
	    *hint != '\0' ? "; " : "", hint);
}

static bool
tell(const char *what, const char *reason, const char *hint, bool permitted)
{
	uint64_t hash = hash_of(what, reason);

	for (size_t i = 0; i < denials.n; i++)
		if (denials.told[i].hash == hash && denials.told[i].permitted == permitted) {
			denials.told[i].times++;
			return false;
		}
	if (denials.n < DENIAL_LINES) {
		tell_new(what, reason, hint, hash, permitted);
		return true;
	}
	if (denials.untold++ == 0)
		log_warnx("more %s refused; from here on it is only counted (-v says each)",
		    permitted ? "would be" : "was");
	return false;
}

bool
denial_tell(const char *what, const char *reason, const char *hint)
{
	count_one();
	return tell(what, reason, hint, false);
}

bool
denial_mention(const char *what, const char *reason, const char *hint)
{
	return tell(what, reason, hint, false);
}

bool
denial_permit(const char *what, const char *reason, const char *hint)
{
	count_one();
	return tell(what, reason, hint, true);
}

void
denial_end(void)
{
	uint64_t rest = 0;
	size_t lines = 0;

	for (size_t i = 0; i < denials.n; i++) {
		const struct told *t = &denials.told[i];

		if (t->times == 1)
			continue;
		if (lines++ < REPEATED_LINES)
			log_warnx("%s: %srefused %llu times", t->what,
			    t->permitted ? "would be " : "", (unsigned long long)t->times);
		else
			rest += t->times - 1;
	}
	if (rest > 0)
		log_warnx("others of these were refused %llu times more", (unsigned long long)rest);
	if (denials.untold > 0)
		log_warnx("not said: %llu more refusals", (unsigned long long)denials.untold);
	denials.n = 0;
	denials.untold = 0;
}
