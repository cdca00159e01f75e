/*
 * evline.h - one line of a flow log, taken apart.
 *
 * A line is one JSON object.  All of it is held against RFC 8259, but only what an event is known
 * by is kept: the fields below, out of the object itself and not out of objects inside.  A
 * whole log goes through here, so nothing is allocated and a line is read once.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_EVLINE_H
#define CF_EVLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* M(what we call it, its key) */
#define EVLINE_FIELDS(M)							\
	M(EVENT, "event") M(SCHEMA, "schema_version") M(TS, "ts_ms")		\
	M(PROTOCOL, "protocol") M(QNAME, "qname") M(ANSWER_IPS, "answer_ips")	\
	M(REMOTE, "remote") M(REMOTE_ADDR, "remote_addr")			\
	M(REMOTE_IP, "remote_ip") M(REMOTE_PORT, "remote_port")			\
	M(VIA_PROXY, "via_proxy") M(STATUS, "status") M(ERROR, "error")		\
	M(REASON_CODE, "reason_code") M(CONTROL, "control")			\
	M(MATCHED_DOMAIN, "matched_domain") M(PHASE, "phase") M(WHICH, "which")	\
	M(TIMES, "times") M(NAMES, "names") M(SERVER_NAME, "server_name")	\
	M(BYTES_UP, "bytes_up") M(BYTES_DOWN, "bytes_down")			\
	M(DURATION, "duration_ms") M(PID, "pid") M(COMM, "comm") M(EXE, "exe")	\
	M(ACTION, "action") M(PERMISSIVE, "permissive") M(QTYPE, "qtype")	\
	M(RCODE, "rcode") M(TARGET, "target") M(LIMIT, "limit") M(USED, "used")	\
	M(MAX, "max") M(FLOWS, "flows")

#define EVLINE_ENUM(name, key)	F_##name,
enum evline_field { EVLINE_FIELDS(EVLINE_ENUM) F_COUNT };
#undef EVLINE_ENUM

#define EVLINE_ITEMS	64	/* strings of arrays that are kept of one line */
#define EVLINE_DEPTH	32	/* objects and arrays inside of each other */

enum evline_type { VAL_NONE, VAL_STRING, VAL_INTEGER, VAL_TRUE, VAL_FALSE, VAL_ARRAY, VAL_OTHER };

struct evtext {
	char	*text;		/* in the line itself; ends in a zero, and may have others inside */
	size_t	 len;
};
struct evvalue {
	enum evline_type type;
	struct evtext	 string;
	int64_t		 integer;
	size_t		 first, n;	/* VAL_ARRAY: its strings, in item[] */
};
struct evline {
	struct evvalue	field[F_COUNT];
	struct evtext	item[EVLINE_ITEMS];
	size_t		nitems;
};

/*
 * The line is written to: texts are unescaped where they stand.  There is room for one byte
 * behind its end.  NULL, or why it is no JSON object.
 */
const char	*evline_parse(struct evline *, char *line, size_t len);

#endif
