/*
 * event.c - see event.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static struct {
	int	 fd[EVENT_FDS];
	bool	 reader[EVENT_FDS];	/* a helper: who started it sees its end */
	size_t	 n;
	bool	 gathers;
	char	 lines[EVENT_LINE_MAX];	/* whole ones, not yet written */
	size_t	 len;
	bool	 lost;
} sink;

void
event_init(int fd)
{
	sink.n = sink.len = 0;
	sink.gathers = sink.lost = false;
	if (fd != -1)
		event_add(fd);
	json_object_seed(0);	/* reads /dev/urandom; behind the seal it could not */
}

bool
event_add(int fd)
{
	if (sink.n == EVENT_FDS)
		return false;
	sink.reader[sink.n] = false;
	sink.fd[sink.n++] = fd;
	return true;
}

bool
event_add_reader(int fd)
{
	if (!event_add(fd))
		return false;
	sink.reader[sink.n - 1] = true;
	return true;
}

bool
event_logged(void)
{
	return sink.n > 0;
}

bool
event_wanted(void)
{
	return sink.n > 0 || log_verbose() >= 1;
}

bool
event_lost(void)
{
	return sink.lost;
}

static void
line_lost(const char *why)
{
	if (!sink.lost)
		log_warnx("an event could not be recorded (%s); the log is incomplete", why);
	sink.lost = true;
}

/* All or nothing, but for a disk that fills in the midst of it: then no more is written there. */
static void
lines_write(size_t i, const char *lines, size_t len)
{
	ssize_t n;

	if (sink.fd[i] == -1)
		return;
	do {
		n = write(sink.fd[i], lines, len);
	} while (n == -1 && errno == EINTR);
	if (n == (ssize_t)len)
		return;
	if (n != -1 || errno != EPIPE || !sink.reader[i])
		line_lost(n == -1 ? strerror(errno) : "the disk is full");
	sink.fd[i] = -1;
}

void
event_flush(void)
{
	if (sink.len == 0)
		return;
	for (size_t i = 0; i < sink.n; i++)
		lines_write(i, sink.lines, sink.len);
	sink.len = 0;
}

void
event_gather(void)
{
	sink.gathers = true;
}

/* Room for one more line of this length. */
static char *
line_place(size_t len)
{
	if (sink.len + len > sizeof(sink.lines))
		event_flush();
	return sink.lines + sink.len;
}

static void
line_add(size_t len)
{
	sink.len += len;
	if (!sink.gathers)
		event_flush();
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
line_write(json_t *fields)
{
	char line[EVENT_LINE_MAX];
	size_t len = json_dumpb(fields, line, sizeof(line) - 1, JSON_COMPACT | JSON_SORT_KEYS);

	if (len == 0 || len > sizeof(line) - 1) {
		line_lost("it is too long");
		return;
	}
	line[len++] = '\n';
	memcpy(line_place(len), line, len);
	line_add(len);
}

void
event_line(const char *event, struct jline *fields)
{
	char line[EVENT_LINE_MAX];
	size_t len;

	if (!event_logged())
		return;
	jline_int(fields, "schema_version", 1);
	jline_str(fields, "event", event);
	jline_int(fields, "ts_ms", now_ms());
	if ((len = jline_put(fields, line)) == 0) {
		line_lost("it is too long");
		return;
	}
	memcpy(line_place(len), line, len);
	line_add(len);
}

void
event_emit(const char *event, json_t *fields, const char *text)
{
	if (text != NULL)
		log_info("%s", text);
	if (event_logged() && fields != NULL) {
		json_object_set_new(fields, "schema_version", json_integer(1));
		json_object_set_new(fields, "event", json_string(event));
		json_object_set_new(fields, "ts_ms", json_integer((json_int_t)now_ms()));
		line_write(fields);
	}
	json_decref(fields);
}

void
event_set_remote(json_t *fields, const struct addr *remote)
{
	char buf[ADDR_STRLEN];

	json_object_set_new(fields, "remote_addr", json_string(addr_str(remote, buf)));
	json_object_set_new(fields, "remote_ip", json_string(addr_ip_str(remote, buf)));
	json_object_set_new(fields, "remote_port", json_integer(remote->port));
}

json_t *
event_text(const char *bytes, size_t len)
{
	json_t *s = json_stringn(bytes, len);
	char out[3 * 512 + 1];
	size_t at = 0;

	if (s != NULL)
		return s;
	for (size_t i = 0; i < len && at + 3 < sizeof(out); i++) {
		if ((unsigned char)bytes[i] < 0x80) {
			out[at++] = bytes[i];
		} else {
			memcpy(out + at, "\xef\xbf\xbd", 3);
			at += 3;
		}
	}
	return json_stringn(out, at);
}
