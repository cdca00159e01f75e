/*
 * flowtable.c - see flowtable.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flowtable.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_AFTER_MS	200	/* two updates that are nearer tell no rate */

const char *const row_states[] = {
	[ROW_OPENING] = "opening", [ROW_OPEN] = "open", [ROW_ENDED] = "ended",
	[ROW_FAILED] = "failed", [ROW_DENIED] = "DENIED",
};
const char *const row_orders[ROW_ORDERS] = { "time", "rate", "bytes", "name", "process", "state" };

struct flowtable *
flowtable_new(void)
{
	struct flowtable *t = calloc(1, sizeof(*t));

	if (t != NULL)
		TAILQ_INIT(&t->rows);
	return t;
}

static void
row_free(struct flowtable *t, struct row *r)
{
	if (r->state == ROW_OPEN)
		t->open--;
	TAILQ_REMOVE(&t->rows, r, all);
	LIST_REMOVE(r, hashed);
	t->n--;
	free(r);
}

void
flowtable_free(struct flowtable *t)
{
	struct row *r;

	if (t == NULL)
		return;
	while ((r = TAILQ_FIRST(&t->rows)) != NULL)
		row_free(t, r);
	free(t);
}

/* ---- fields ---- */

/* What a terminal can be given of a text: printable ASCII, cut to the room there is. */
static void
copy_plain(char *to, size_t room, const char *from, size_t len)
{
	size_t n = len < room - 1 ? len : room - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[n] = '\0';
}

/* A string field; what is none leaves the row's text as it is. */
static void
take(const json_t *event, const char *field, char *to, size_t room)
{
	const json_t *v = json_object_get(event, field);

	if (json_is_string(v))
		copy_plain(to, room, json_string_value(v), json_string_length(v));
}

static uint64_t
number(const json_t *event, const char *field)
{
	json_int_t v = json_integer_value(json_object_get(event, field));

	return v > 0 ? (uint64_t)v : 0;
}

static bool
is(const json_t *event, const char *field, const char *value)
{
	const char *text = json_string_value(json_object_get(event, field));

	return text != NULL && strcmp(text, value) == 0;
}

/* The server name that was seen beats the names that were asked for. */
static void
take_name(struct row *r, const json_t *event)
{
	const json_t *first = json_array_get(json_object_get(event, "names"), 0);

	if (r->name[0] == '\0' && json_is_string(first))
		copy_plain(r->name, sizeof(r->name), json_string_value(first),
		    json_string_length(first));
	take(event, "server_name", r->name, sizeof(r->name));
}

static void
take_process(struct row *r, const json_t *event)
{
	const json_t *pid = json_object_get(event, "pid");
	char comm[32] = "";

	take(event, "comm", comm, sizeof(comm));
	if (json_is_integer(pid))
		snprintf(r->process, sizeof(r->process), "%s[%lld]", comm,
		    (long long)json_integer_value(pid));
}

/* ---- rows ---- */

/* FNV-1a; a crowded chain costs time, and rows have a bound. */
static uint64_t
hash_text(uint64_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return h * 31;
}

/* Flow numbers are small; hashes of texts have their top bit set. */
static uint64_t
key_of(const json_t *event, const char *salt)
{
	static const char *const fields[] = { "protocol", "remote", "remote_addr", "reason_code" };
	uint64_t h = hash_text(14695981039346656037u, salt);
	const char *text;

	if (salt[0] == '\0' && number(event, "flow") != 0)
		return number(event, "flow") & INT64_MAX;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if ((text = json_string_value(json_object_get(event, fields[i]))) != NULL)
			h = hash_text(h, text);
	return h | (uint64_t)1 << 63;
}

static struct row *
row_find(struct flowtable *t, uint64_t key)
{
	struct row *r;

	LIST_FOREACH(r, &t->bucket[key % FLOWTABLE_MAX], hashed)
		if (r->key == key)
			return r;
	return NULL;
}

/* The oldest that has ended, among so many that the look costs little; else the oldest. */
static void
make_room(struct flowtable *t)
{
	struct row *r, *victim = TAILQ_FIRST(&t->rows);
	int looked = 0;

	TAILQ_FOREACH(r, &t->rows, all) {
		if (r->state >= ROW_ENDED) {
			victim = r;
			break;
		}
		if (++looked == 64)
			break;
	}
	row_free(t, victim);
	t->gone++;
}

static struct row *
row_new(struct flowtable *t, uint64_t key, const json_t *event)
{
	struct row *r;

	if (t->n == FLOWTABLE_MAX)
		make_room(t);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->key = key;
	r->began_ms = r->seen_ms = t->last_ms;
	TAILQ_INSERT_TAIL(&t->rows, r, all);
	LIST_INSERT_HEAD(&t->bucket[key % FLOWTABLE_MAX], r, hashed);
	t->n++;
	take(event, "protocol", r->proto, sizeof(r->proto));
	take(event, "remote_addr", r->remote, sizeof(r->remote));
	return r;
}

static void
row_describe(struct flowtable *t, struct row *r, const json_t *event)
{
	take_name(r, event);
	take_process(r, event);
	r->seen_ms = t->last_ms;
}

static void
row_state(struct flowtable *t, struct row *r, enum row_state state)
{
	t->open += (state == ROW_OPEN) - (r->state == ROW_OPEN);
	r->state = state;
}

/* ---- events ---- */

static void
on_attempt(struct flowtable *t, const json_t *event)
{
	uint64_t key = key_of(event, "");
	struct row *r = row_find(t, key);

	/* A log without flow numbers: the same address again is another flow. */
	if (r != NULL && r->state >= ROW_ENDED)
		row_free(t, r), r = NULL;
	if (r == NULL && (r = row_new(t, key, event)) == NULL)
		return;
	row_describe(t, r, event);
}

static void
on_result(struct flowtable *t, const json_t *event)
{
	uint64_t key = key_of(event, "");
	struct row *r = row_find(t, key);

	if (r == NULL && (r = row_new(t, key, event)) == NULL)
		return;
	row_describe(t, r, event);
	row_state(t, r, is(event, "status", "ok") ? ROW_OPEN : ROW_FAILED);
	take(event, "error", r->why, sizeof(r->why));
}

static void
row_bytes(struct flowtable *t, struct row *r, const json_t *event)
{
	uint64_t up = number(event, "bytes_up"), down = number(event, "bytes_down");
	int64_t ms = t->last_ms - r->seen_ms;

	if (up < r->up || down < r->down)	/* numbers that go back are nobody's */
		return;
	t->up += up - r->up;
	t->down += down - r->down;
	if (ms >= RATE_AFTER_MS) {
		r->up_rate = (double)(up - r->up) * 1000 / (double)ms;
		r->down_rate = (double)(down - r->down) * 1000 / (double)ms;
	}
	r->up = up;
	r->down = down;
}

static void
on_update(struct flowtable *t, const json_t *event)
{
	struct row *r = row_find(t, key_of(event, ""));

	if (r == NULL)
		return;
	row_bytes(t, r, event);
	row_describe(t, r, event);
}

static void
on_end(struct flowtable *t, const json_t *event)
{
	struct row *r = row_find(t, key_of(event, ""));

	if (r == NULL)
		return;
	row_bytes(t, r, event);
	r->up_rate = r->down_rate = 0;
	row_describe(t, r, event);
	row_state(t, r, ROW_ENDED);
	take(event, "close_reason", r->why, sizeof(r->why));
}

static void
on_violation(struct flowtable *t, const json_t *event)
{
	uint64_t key = key_of(event, "denied");
	struct row *r = row_find(t, key);

	t->denied++;
	if (r == NULL && (r = row_new(t, key, event)) == NULL)
		return;
	row_describe(t, r, event);
	row_state(t, r, ROW_DENIED);
	take(event, "remote", r->remote, sizeof(r->remote));
	take(event, "reason", r->why, sizeof(r->why));
	r->times++;
}

static void
on_query(struct flowtable *t, const json_t *event)
{
	(void)event;
	t->queries++;
}

static const struct {
	const char	*event;
	void		(*take)(struct flowtable *, const json_t *);
} kinds[] = {
	{ "connect_attempt",	on_attempt },
	{ "connect_result",	on_result },
	{ "flow_update",	on_update },
	{ "flow_end",		on_end },
	{ "policy_violation",	on_violation },
	{ "dns_query",		on_query },
};

void
flowtable_line(struct flowtable *t, const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	int64_t ms = (int64_t)number(event, "ts_ms");

	if (!json_is_object(event) || !json_is_string(json_object_get(event, "event"))) {
		t->malformed++;
		json_decref(event);
		return;
	}
	t->events++;
	if (ms > t->last_ms)
		t->last_ms = ms;
	if (t->first_ms == 0)
		t->first_ms = t->last_ms;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (is(event, "event", kinds[i].event))
			kinds[i].take(t, event);
	json_decref(event);
}

/* ---- lists ---- */

static int
compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static const struct row *
at(const void *p)
{
	return *(const struct row *const *)p;
}

static int
newest_first(const void *a, const void *b)
{
	return compare((uint64_t)at(b)->began_ms, (uint64_t)at(a)->began_ms);
}

static int
fastest_first(const void *a, const void *b)
{
	double x = at(a)->up_rate + at(a)->down_rate, y = at(b)->up_rate + at(b)->down_rate;

	return x != y ? (x < y) - (x > y) : newest_first(a, b);
}

static int
largest_first(const void *a, const void *b)
{
	int c = compare(at(b)->up + at(b)->down, at(a)->up + at(a)->down);

	return c != 0 ? c : newest_first(a, b);
}

static int
by_name(const void *a, const void *b)
{
	int c = strcmp(at(a)->name, at(b)->name);

	return c != 0 ? c : newest_first(a, b);
}

static int
by_process(const void *a, const void *b)
{
	int c = strcmp(at(a)->process, at(b)->process);

	return c != 0 ? c : newest_first(a, b);
}

/* What was denied or has failed first, what is over last. */
static int
by_state(const void *a, const void *b)
{
	static const uint64_t rank[] = { [ROW_DENIED] = 0, [ROW_FAILED] = 1, [ROW_OPENING] = 2,
		[ROW_OPEN] = 3, [ROW_ENDED] = 4 };
	int c = compare(rank[at(a)->state], rank[at(b)->state]);

	return c != 0 ? c : newest_first(a, b);
}

static int (*const orders[ROW_ORDERS])(const void *, const void *) = {
	newest_first, fastest_first, largest_first, by_name, by_process, by_state
};

static bool
row_has(const struct row *r, const char *want)
{
	return strstr(r->remote, want) != NULL || strstr(r->name, want) != NULL ||
	    strstr(r->process, want) != NULL || strstr(r->proto, want) != NULL ||
	    strstr(row_states[r->state], want) != NULL || strstr(r->why, want) != NULL;
}

size_t
flowtable_list(const struct flowtable *t, enum row_order order, const char *want,
    const struct row **out)
{
	const struct row *r;
	size_t n = 0;

	TAILQ_FOREACH(r, &t->rows, all)
		if (want[0] == '\0' || row_has(r, want))
			out[n++] = r;
	qsort(out, n, sizeof(const struct row *), orders[order]);
	return n;
}

const char *
size_text(double bytes, char buf[SIZE_LEN])
{
	static const char unit[] = " KMGTPE";
	size_t u = 0;

	while (bytes >= 999.5 && unit[u + 1] != '\0') {
		bytes /= 1000;
		u++;
	}
	if (u == 0)
		snprintf(buf, SIZE_LEN, "%.0f", bytes);
	else
		snprintf(buf, SIZE_LEN, "%.*f%c", bytes < 9.95 ? 1 : 0, bytes, unit[u]);
	return buf;
}
