/*
 * status.c - what scripts and the summary are told: JSON, one object a line.
 *
 * An exit status of 0 to 255 cannot be told from the command's own; --status-fd can:
 *   {"event":"started","pid":N,"tcp_path":"kernel|tun|mixed"[,"tcp_path_why":...]}
 *   {"event":"policy","generation":N,"rules":N}, or "error" in place of "rules"
 *   {"event":"exit","code":N,"reason":"command|signal|not_found|not_executable|setup|helper|record|leak",...}
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "inside.h"
#include "log.h"
#include "run.h"

/* Write an object (taken over) as one line; false where not all of it went. */
static bool
line_write(int fd, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT), *p = text;
	size_t left = text != NULL ? strlen(text) : 0;
	ssize_t n;

	json_decref(o);
	if (text == NULL)
		return false;
	p[left++] = '\n';		/* in place of the terminating zero */
	while (left > 0) {
		n = write(fd, p, left);
		if (n == -1 && errno != EINTR)
			break;
		if (n > 0) {
			p += n;
			left -= (size_t)n;
		}
	}
	free(text);
	return left == 0;
}

static void
status_write(int fd, json_t *o)
{
	if (!line_write(fd, o))
		log_warn("cannot write the status to descriptor %d", fd);
}

static void
tcp_path_add(json_t *o, const struct tcp_choice *tcp)
{
	if (tcp->name == NULL)
		return;
	json_object_set_new(o, "tcp_path", json_string(tcp->name));
	if (tcp->why[0] != '\0')
		json_object_set_new(o, "tcp_path_why", event_text(tcp->why, strlen(tcp->why)));
}

void
status_started(int fd, pid_t pid, const struct tcp_choice *tcp)
{
	json_t *o;

	if (fd == -1)
		return;
	o = json_pack("{s:s,s:i}", "event", "started", "pid", (int)pid);
	tcp_path_add(o, tcp);
	status_write(fd, o);
}

/* Descriptors of supervisors: the network is up, and the command about to start. */
void
status_ready(const struct run *r)
{
	int fd = r->conf->status_fd, ready_fd = r->conf->runs.ready_fd;
	json_t *o;

	if (fd != -1) {
		o = json_pack("{s:s,s:i,s:o}", "event", "ready", "pid", (int)getpid(), "helpers",
		    helpers_json(&r->helpers, false));
		if (r->conf->runs.name != NULL)
			json_object_set_new(o, "name", json_string(r->conf->runs.name));
		if (r->conf->runs.attach != NULL)
			json_object_set_new(o, "nameservers", json_pack("[s,s]", INSIDE_GATEWAY4,
			    INSIDE_GATEWAY6));
		line_write(fd, o);
	}
	if (ready_fd == -1)
		return;
	if (write(ready_fd, "1", 1) != 1)
		log_warn("cannot write to --ready-fd %d", ready_fd);
	if (ready_fd > STDERR_FILENO)
		close(ready_fd);
}

void
status_policy(int fd, unsigned generation, size_t rules, const char *why)
{
	json_t *o;

	if (fd == -1)
		return;
	o = json_pack("{s:s,s:I}", "event", "policy", "generation", (json_int_t)generation);
	if (why == NULL)
		json_object_set_new(o, "rules", json_integer((json_int_t)rules));
	else
		json_object_set_new(o, "error", event_text(why, strlen(why)));
	status_write(fd, o);
}

void
status_exit(const struct conf *conf, int code, const char *reason, const char *detail)
{
	json_t *o;

	if (conf->status_fd == -1)
		return;
	o = json_pack("{s:s,s:i,s:s}", "event", "exit", "code", code, "reason", reason);
	if (detail != NULL)
		json_object_set_new(o, "detail", event_text(detail, strlen(detail)));
	if (conf->fail_on_leak)
		json_object_set_new(o, "violations",
		    json_integer((json_int_t)policy_violations(conf)));
	if (conf->quotas_fd != -1)
		json_object_set_new(o, "quotas", quotas_json(conf->quotas_fd));
	status_write(conf->status_fd, o);
}

static void
append(void *array, const char *text)
{
	json_array_append_new(array, event_text(text, strlen(text)));
}

static void
path_add(json_t *o, const char *key, const char *path)
{
	json_object_set_new(o, key, event_text(path, strlen(path)));
}

static json_t *
capture_facts(const struct conf *conf)
{
	const char *point = capture_point_name(&conf->capture);
	bool both = conf->capture.point == POINT_BOTH;
	char path[PATH_MAX];
	json_t *o = json_pack("{s:s,s:s,s:s}", "status", "enabled", "requested", point,
	    "effective", both ? "child+egress" : point);

	path_add(o, "output", conf->capture_file);
	if (both && capture_view_path(conf, "child", path, sizeof(path)))
		path_add(o, "child_output", path);
	if (both && capture_view_path(conf, "egress", path, sizeof(path)))
		path_add(o, "egress_output", path);
	return o;
}

void
status_facts(int fd, const struct conf *conf, const struct tcp_choice *tcp, int code,
    const char *reason, long duration_ms)
{
	json_t *command = json_array(), *controls = json_array(), *o;

	policy_controls(conf, append, controls);
	for (char **arg = conf->command; *arg != NULL; arg++)
		json_array_append_new(command, event_text(*arg, strlen(*arg)));
	o = json_pack("{s:s,s:o,s:o,s:i,s:s,s:I}", "backend", "rootless-internal",
	    "command", command, "sandbox_controls", controls, "exit_code", code,
	    "reason", reason, "duration_ms", (json_int_t)duration_ms);
	tcp_path_add(o, tcp);
	if (conf->flow_log != NULL)
		json_object_set_new(o, "flow_log", event_text(conf->flow_log, strlen(conf->flow_log)));
	if (conf->capture_file != NULL)
		json_object_set_new(o, "capture", capture_facts(conf));
	(void)line_write(fd, o);	/* who has gone is noticed by his end */
}
