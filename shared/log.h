/*
 * log.h - one line on stderr: who, what, why, what to do next.
 *
 * A line is "NAME: text", as childflow writes it.  The text may hold bytes of others (a
 * file name, a DNS name, a frame): control characters and bytes that are no UTF-8 leave
 * escaped (\x1b), so nobody can drive the terminal.  A final x means "no errno".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LOG_H
#define CF_LOG_H

#include <stddef.h>

/* name: the program, kept as it is.  verbose: how many -v. */
void	log_init(const char *name, int verbose);
int	log_verbose(void);

void	log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Only with -v (events) or -vv (paths, steps). */
void	log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same, and exit with status 1 (or what log_fatal_status says). */
/* The attribute says what _Noreturn does, to analyzers that do not know that. */
_Noreturn void	fatal(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
_Noreturn void	fatalx(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void		log_fatal_status(int status);	/* cf-spawn: 125 */
/* Called with what fatal() and fatalx() have said, before they end the process. */
void		log_on_fatal(void (*)(const char *text));

/*
 * Copy text so that a terminal shows it and does nothing else; out always ends in a
 * zero and may be cut.  Returns out.
 */
char	*log_escape(char *out, size_t outlen, const char *text);

#endif
