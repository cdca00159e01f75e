/*
 * poltest.h - cf-doctor policy-test: what of a recorded run would a policy have refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_POLTEST_H
#define CF_POLTEST_H

#include <jansson.h>

#include "recorded.h"
#include "rules.h"

struct poltest;

/* The rules are borrowed; NULL: out of memory. */
struct poltest	*poltest_new(const struct rules *);
void		 poltest_free(struct poltest *);
/* For struct tally's watch; the watcher is the poltest. */
void		 poltest_event(void *poltest, enum event_kind, struct evline *);
unsigned long long poltest_refused(const struct poltest *);

/* {judged, refused, refusals: [...], ...}; then as lines. */
json_t		*poltest_model(const struct poltest *, const struct tally *, const char *path);
char		*poltest_text(const json_t *model);

/* argv[0] is "policy-test"; the status to exit with: 0 nothing, 1 something, 2 trouble. */
int		 poltest_main(int argc, char **argv);

#endif
