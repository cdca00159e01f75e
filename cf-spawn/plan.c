/*
 * plan.c - --print-plan: the helpers that a run would start, as JSON that a script can do the same by.
 *
 * It comes out of what wire.c has made for them, the command lines and the descriptors, and not
 * out of a second list: two descriptors belong together because they do.  Of a socket pair that is
 * found by a byte that is sent at one end and comes out at the other.
 *
 * Nothing is started.  What cf-spawn itself would do is told by its own ends of the channels, and by
 * what the tree's namespace is to have.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"
#include "inside.h"
#include "log.h"
#include "start.h"

#define ENDS_MAX	(HELPER_KINDS * (EXTRA_FDS_MAX + 2) + 16)
#define CONTENT_MAX	(16 << 20)	/* of a memfd; rules are smaller */

/* Somebody's descriptor: an end of an object. */
struct end {
	int		 fd, object, side;
};

static struct {
	struct end	 at[ENDS_MAX];
	size_t		 n;
	json_t		*objects;
} plan;

static bool
is_same(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	    sa.st_ino == sb.st_ino;
}

/* Has this byte come out there?  Others may wait there, of an end that was asked before it was known. */
static bool
comes_out(int fd, uint8_t sent)
{
	uint8_t byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		if (byte == sent)
			return true;
	return false;
}

static void
hex_add(json_t *o, int fd, size_t len)
{
	char *hex, *p;
	uint8_t byte;

	if (len > CONTENT_MAX || (p = hex = malloc(2 * len + 1)) == NULL)
		fatalx("the plan cannot hold a descriptor's content of %zu bytes", len);
	*p = '\0';
	for (size_t i = 0; i < len && pread(fd, &byte, 1, (off_t)i) == 1; i++)
		p += sprintf(p, "%02x", byte);
	json_object_set_new(o, "content", json_string(hex));
	free(hex);
}

static json_t *
object_json(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	json_t *o = json_object();
	const char *kind = "file";
	struct stat st;

	if (fstat(fd, &st) != 0)
		fatal("cannot look at a descriptor of the plan");
	if (S_ISSOCK(st.st_mode))
		kind = "socketpair";
	else if (S_ISFIFO(st.st_mode))
		kind = "pipe";
	else if ((st.st_mode & S_IFMT) == 0)
		kind = "eventfd";
	else if (seals != -1) {
		kind = "memfd";
		hex_add(o, fd, (size_t)st.st_size);
		json_object_set_new(o, "sealed", json_boolean((seals & F_SEAL_WRITE) != 0));
	}
	json_object_set_new(o, "kind", json_string(kind));
	return o;
}

/* Which object it is an end of, a new one if need be. */
static struct end
end_find(int fd)
{
	struct end e = { .fd = fd };
	uint8_t byte = (uint8_t)plan.n;	/* more than 256 ends are files, which are no sockets */
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		e.side = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
	for (size_t i = 0; i < plan.n; i++)
		if (is_same(plan.at[i].fd, fd)) {
			e.object = plan.at[i].object;
			if (S_ISSOCK(st.st_mode))
				e.side = plan.at[i].side;
			return e;
		}
	if (send(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		for (size_t i = 0; i < plan.n; i++)
			if (comes_out(plan.at[i].fd, byte)) {
				e.object = plan.at[i].object;
				e.side = 1;
				return e;
			}
	e.object = (int)json_array_size(plan.objects);
	json_array_append_new(plan.objects, object_json(fd));
	return e;
}

/* "3": [object, side], or "2": "inherit". */
static void
end_add(json_t *fds, const char *name, int fd)
{
	if (fd == -1)
		return;
	if (fd <= STDERR_FILENO) {
		json_object_set_new(fds, name, json_string("inherit"));
		return;
	}
	if (plan.n == ENDS_MAX)
		fatalx("too many descriptors for a plan");
	plan.at[plan.n] = end_find(fd);
	json_object_set_new(fds, name, json_pack("[i,i]", plan.at[plan.n].object,
	    plan.at[plan.n].side));
	plan.n++;
}

static json_t *
helper_json(const struct start *s, const struct conf *conf)
{
	json_t *argv = json_array(), *fds = json_object(), *o = json_object();
	const char *program = kinds[s->kind].program;
	char text[4096];

	json_object_set_new(o, "name", json_string(kinds[s->kind].name));
	if (s->command != NULL) {
		snprintf(text, sizeof(text), "/bin/sh");
		json_decref(argv);
		argv = json_pack("[s,s,o]", "sh", "-c", event_text(s->command, strlen(s->command)));
	} else {
		snprintf(text, sizeof(text), "%s/%s%s", paths_libexec, program,
		    s->kind == HELPER_UPSTREAM && conf->proxy.tls ? "-tls" : "");
		for (unsigned i = 0; i < s->argc; i++)
			json_array_append_new(argv, event_text(s->argv[i], strlen(s->argv[i])));
	}
	json_object_set_new(o, "program", json_string(text));
	json_object_set_new(o, "argv", argv);
	json_object_set_new(o, "namespace", json_string(s->jailed ? "empty" : "host"));
	end_add(fds, "0", s->in);
	end_add(fds, "1", s->out);
	for (unsigned i = 0; i < s->nextra; i++) {
		snprintf(text, sizeof(text), "%u", FIRST_EXTRA_FD + i);
		end_add(fds, text, s->extra[i]);
	}
	json_object_set_new(o, "fds", fds);
	return o;
}

/* What cf-spawn keeps. */
static json_t *
own_json(const struct helpers *h)
{
	json_t *fds = json_object();

	end_add(fds, "control", h->control_fd);
	end_add(fds, "dialler", h->told_fd[CONTROL_DIALLER]);
	end_add(fds, "policy", h->told_fd[CONTROL_POLICY]);
	end_add(fds, "dns", h->told_fd[CONTROL_DNS]);
	end_add(fds, "watcher", h->watcher_fd);
	end_add(fds, "facts", h->facts_fd);
	return fds;
}

int
plan_print(const struct conf *conf, const struct texts *texts)
{
	struct start start[HELPER_KINDS];
	json_t *helpers = json_array(), *own, *o;
	struct helpers h;
	int rc;

	wire(start, &h, conf, texts);
	plan.objects = json_array();
	own = own_json(&h);
	for (int pass = 0; pass < 2; pass++)	/* as helpers.c starts them */
		for (int k = 0; k < HELPER_KINDS; k++)
			if (start[k].wanted && start[k].jailed == (pass == 1))
				json_array_append_new(helpers, helper_json(&start[k], conf));
	o = json_pack("{s:i,s:{s:[s,s,s],s:s,s:i,s:[s,s],s:[s,s],s:s},s:{s:[s,s,s]},s:o,s:o,s:o}",
	    "version", 1,
	    "tree", "namespaces", "user", "mnt", "net", "device", "tun0", "mtu", INSIDE_MTU,
	    "addresses", INSIDE_CHILD4 "/32", INSIDE_CHILD6 "/128",
	    "nameservers", INSIDE_GATEWAY4, INSIDE_GATEWAY6, "device_to", "cf-netstack",
	    "empty", "namespaces", "user", "net", "ipc",
	    "descriptors", plan.objects, "cf-spawn", own, "helpers", helpers);
	if (o == NULL)
		fatalx("cannot make the plan");
	rc = json_dumpf(o, stdout, JSON_INDENT(2));
	json_decref(o);
	putchar('\n');
	return rc == 0 && fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}
