/*
 * explain.h - cf-doctor profile: is a profile right, and what does it mean?
 *
 * It is read, with all that it extends, by cf-spawn's own code, every value is looked at by the
 * option that it is for, and its rules are compiled.  Nothing is started.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_EXPLAIN_H
#define CF_EXPLAIN_H

/* argv[0] is "profile"; the status to exit with. */
int	explain_main(int argc, char **argv);

#endif
