/*
 * info.c - what a run says of itself to cf-spawn --list.
 *
 * Helpers are looked at when somebody asks.  Flows and bytes are counted by cf-proxy's policy
 * stage (totals.h) in memory that is only read here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event.h"
#include "log.h"
#include "run.h"
#include "totals.h"

#define COMMAND_MAX	4096	/* bytes of the command; the rest is left out */

#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

void
totals_make(struct conf *conf)
{
	int fd = memfd_create("childflow-totals", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 || ftruncate(fd, sizeof(struct totals)) != 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		fatal("cannot make the counters of the run");
	conf->totals_fd = fd;
}

/* As the kernel has it: "running", or what keeps it from that. */
static const char *
helper_state(const struct helper *h)
{
	char path[64], state = '?';
	FILE *f;

	if (h->ended)
		return "ended";
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)h->pid);
	if ((f = fopen(path, "re")) != NULL) {
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		fclose(f);
	}
	return state == 'T' || state == 't' ? "stopped" : state == 'Z' || state == 'X' ? "ended" :
	    "running";
}

json_t *
helpers_json(const struct helpers *hs, bool states)
{
	json_t *list = json_array(), *o;

	for (int k = 0; k < HELPER_KINDS; k++) {
		const struct helper *h = &hs->helper[k];

		if (h->pid <= 0)
			continue;
		o = json_pack("{s:o,s:i}", "name", event_text(h->name, strlen(h->name)), "pid",
		    (int)h->pid);
		if (states)
			json_object_set_new(o, "state", json_string(helper_state(h)));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *
command_json(char *const *argv)
{
	json_t *list = json_array();
	size_t left = COMMAND_MAX;

	for (; *argv != NULL; argv++) {
		size_t len = strlen(*argv);

		if (len > left) {
			json_array_append_new(list, json_string("..."));
			break;
		}
		json_array_append_new(list, event_text(*argv, len));
		left -= len;
	}
	return list;
}

static json_t *
joined_json(const struct joins *j)
{
	json_t *list = json_array();

	for (int i = 0; i < RUN_PEERS; i++)
		if (j->peer[i].pid > 0)
			json_array_append_new(list, json_integer(j->peer[i].pid));
	return list;
}

static json_t *
counters_json(const struct conf *conf)
{
	struct totals t = { 0 };

	if (conf->totals_fd == -1 || pread(conf->totals_fd, &t, sizeof(t), 0) != sizeof(t))
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "flows", (json_int_t)t.flows, "open",
	    (json_int_t)t.open, "bytes_up", (json_int_t)t.up, "bytes_down", (json_int_t)t.down,
	    "denials", (json_int_t)policy_violations(conf));
}

char *
info_text(const struct run *r)
{
	static const char *const states[] = { [STARTING] = "starting", [RUNNING] = "running",
	    [FINISHING] = "finishing", [FINISHED] = "finishing" };
	const struct conf *conf = r->conf;
	json_t *o = json_object();
	char *text;

	json_object_set_new(o, "name", conf->runs.name != NULL ? json_string(conf->runs.name) :
	    json_null());
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(o, "state", json_string(states[r->state]));
	json_object_set_new(o, "age_ms", json_integer(run_ms_since(&r->began)));
	json_object_set_new(o, "command", command_json(conf->command));
	json_object_set_new(o, "command_pid", json_integer(r->command_ended ? 0 : r->child.pid));
	json_object_set_new(o, "joined", joined_json(&r->joins));
	json_object_set_new(o, "counters", counters_json(conf));
	json_object_set_new(o, "helpers", helpers_json(&r->helpers, true));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text != NULL && strlen(text) <= RUN_TEXT_MAX)
		return text;
	free(text);
	return NULL;
}
