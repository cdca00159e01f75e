/*
 * convert.c - from a profile's bytes to its keys, with cf-toml in between.
 *
 * cf-toml gets the bytes as a file in memory and nothing else: no environment, no
 * capability, no descriptor.  Its memory and its time are bounded by what is set here, what
 * it says by what is read here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "profile.h"
#include "spawn.h"

#define CONVERTER_SECONDS	10		/* the largest profile takes less than one */
#define CONVERTER_MEMORY	(1ul << 30)
#define CONVERTER_STACK		(512ul << 20)	/* toml++ recurses into a.a.a.a... without a bound */
#define ABOVE_ALL		100
#define READ_FIRST		65536

/* Room for what comes next; false: no memory, errno. */
static bool
grow(char **buf, size_t *room, size_t used)
{
	char *more;

	if (used < *room)
		return true;
	if ((more = realloc(*buf, 2 * *room + READ_FIRST)) == NULL)
		return false;
	*buf = more;
	*room = 2 * *room + READ_FIRST;
	return true;
}

/* All that comes, to its end; from malloc().  NULL and errno; EFBIG: more came than that. */
static char *
read_all(int fd, size_t most, size_t *len)
{
	char *buf = NULL;
	size_t room = 0;
	ssize_t n;

	for (*len = 0; *len <= most && grow(&buf, &room, *len);) {
		n = read(fd, buf + *len, room - *len);
		if (n == 0)
			return buf;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	if (*len > most)
		errno = EFBIG;
	free(buf);
	return NULL;
}

char *
profile_read(const char *path, size_t *len, char *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), saved;
	char *text = NULL;

	if (fd != -1) {
		text = read_all(fd, TOMLREAD_FILE_MAX, len);
		saved = errno;
		close(fd);
		errno = saved;
	}
	if (text == NULL)
		snprintf(why, PROFILE_WHY, "cannot read the profile %s: %s", path, errno == EFBIG ?
		    "it is larger than 1 MiB (put rules into a file: allow_file, deny_file)" :
		    strerror(errno));
	return text;
}

/* In the new process: become the converter. */
static _Noreturn void
become(int program, int in, int out)
{
	static char *none[] = { NULL };
	char name[] = "cf-toml", *argv[] = { name, NULL };
	struct rlimit seconds = { CONVERTER_SECONDS, CONVERTER_SECONDS };
	struct rlimit stack = { CONVERTER_STACK, CONVERTER_STACK };
#ifndef CF_DEBUG			/* sanitizers reserve more than there is */
	struct rlimit memory = { CONVERTER_MEMORY, CONVERTER_MEMORY };

	setrlimit(RLIMIT_AS, &memory);
#endif
	setrlimit(RLIMIT_STACK, &stack);	/* where it may not be so large, what is there has to do */
	setrlimit(RLIMIT_CPU, &seconds);
	/* A standard descriptor that our caller had closed may be one of these. */
	program = fcntl(program, F_DUPFD_CLOEXEC, ABOVE_ALL);
	in = fcntl(in, F_DUPFD_CLOEXEC, ABOVE_ALL);
	out = fcntl(out, F_DUPFD_CLOEXEC, ABOVE_ALL);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || identity_bound_caps(0) != 0 ||
	    identity_drop_caps(0) != 0)
		fatal("cannot take the powers from cf-toml");
	fexecve(program, argv, none);
	fatal("cannot execute cf-toml");
}

static int
program_open(void)
{
	char path[PROFILE_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/cf-toml", paths_libexec);
	if ((fd = open(path, O_PATH | O_CLOEXEC)) == -1)
		fatal("cannot find %s, which reads profiles (install childflow again)", path);
	return fd;
}

/* The bytes as a descriptor to read from. */
static int
text_fd(const char *text, size_t len)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);

	if (fd == -1 || write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
		fatal("cannot hand the profile to cf-toml");
	return fd;
}

/* It has ended: did it as it should? */
static bool
ended_well(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool
profile_convert(const char *text, size_t len, struct toml_doc *doc, struct toml_error *err)
{
	int program = program_open(), in = text_fd(text, len), out[2];
	size_t json_len = 0;
	char *json;
	pid_t pid;
	bool ok;

	if (pipe2(out, O_CLOEXEC) != 0 || (pid = fork()) == -1)
		fatal("cannot start cf-toml");
	if (pid == 0)
		become(program, in, out[1]);
	close(program);
	close(in);
	close(out[1]);
	json = read_all(out[0], TOMLREAD_JSON_MAX, &json_len);
	close(out[0]);
	if (json == NULL)
		kill(pid, SIGKILL);
	ok = ended_well(pid) && json != NULL;
	if (ok)
		ok = toml_read(json, json_len, doc, err);
	else {
		*doc = (struct toml_doc){ 0 };
		*err = (struct toml_error){ .text = "cf-toml could not read it to its end (is it TOML?)" };
	}
	free(json);
	return ok;
}
