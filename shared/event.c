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

static int	event_fd = -1;
static bool	lost;

void
event_init(int fd)
{
	event_fd = fd;
	json_object_seed(0);	/* reads /dev/urandom; behind the seal it could not */
}

bool
event_wanted(void)
{
	return event_fd != -1 || log_verbose() >= 1;
}

bool
event_lost(void)
{
	return lost;
}

static void
line_lost(const char *why)
{
	if (!lost)
		log_warnx("an event could not be recorded (%s); the log is incomplete", why);
	lost = true;
}

static void
line_write(json_t *fields)
{
	char line[EVENT_LINE_MAX];
	size_t len = json_dumpb(fields, line, sizeof(line) - 1, JSON_COMPACT | JSON_SORT_KEYS);
	ssize_t n;

	if (len == 0 || len > sizeof(line) - 1) {
		line_lost("it is too long");
		return;
	}
	line[len++] = '\n';
	do {
		n = write(event_fd, line, len);
	} while (n == -1 && errno == EINTR);
	if (n != (ssize_t)len)
		line_lost(n == -1 ? strerror(errno) : "the disk is full");
}

void
event_emit(const char *event, json_t *fields, const char *text)
{
	struct timespec now;

	if (text != NULL)
		log_info("%s", text);
	if (event_fd != -1 && fields != NULL) {
		clock_gettime(CLOCK_REALTIME, &now);
		json_object_set_new(fields, "schema_version", json_integer(1));
		json_object_set_new(fields, "event", json_string(event));
		json_object_set_new(fields, "ts_ms",
		    json_integer((json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000));
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
