/*
 * flowtable.h - flows as they come and go, from event lines: what `cf-doctor monitor` shows.
 *
 * Each line of a flow log is an event (cf-flowlog(5)).  An attempt makes a row, its result,
 * updates and end change it; a denial makes a row of its own, and the same denial again
 * counts it up.  Events of one flow are joined by their `flow`, those that have none (a log
 * of childflow) by the remote address.
 *
 * Every string may have been chosen by the command tree or by a server: it is cut to the
 * row's room, and bytes that are no printable ASCII become '?', as a terminal would act
 * on them.  There are at most FLOWTABLE_MAX rows; for one more the oldest that has ended goes,
 * else the oldest.  What went is counted.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FLOWTABLE_H
#define CF_FLOWTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define FLOWTABLE_MAX	4096

enum row_state { ROW_OPENING, ROW_OPEN, ROW_ENDED, ROW_FAILED, ROW_DENIED };
extern const char *const	row_states[];

struct row {
	TAILQ_ENTRY(row) all;		/* oldest first */
	LIST_ENTRY(row)	 hashed;
	uint64_t	 key;		/* of the event's flow, or of its texts */
	enum row_state	 state;
	char		 proto[8], remote[56], name[128], process[48], why[96];
	int64_t		 began_ms, seen_ms;	/* of the first event about it, and of the last */
	uint64_t	 up, down;		/* payload bytes */
	double		 up_rate, down_rate;	/* bytes a second between the last two updates */
	uint64_t	 times;			/* of a denial */
};
TAILQ_HEAD(rows, row);

struct flowtable {
	struct rows	 rows;
	LIST_HEAD(row_bucket, row) bucket[FLOWTABLE_MAX];
	size_t		 n;
	uint64_t	 gone;			/* rows that had to make room */
	uint64_t	 queries, events, malformed;
	uint64_t	 denied, open;		/* denials; flows that are open now */
	uint64_t	 up, down;		/* of all flows */
	int64_t		 first_ms, last_ms;	/* of the events */
};

struct flowtable *flowtable_new(void);	/* NULL: out of memory */
void		 flowtable_free(struct flowtable *);
/* One line, without its end. */
void		 flowtable_line(struct flowtable *, const char *line, size_t len);

enum row_order { BY_TIME, BY_RATE, BY_BYTES, BY_NAME, BY_PROCESS, BY_STATE, ROW_ORDERS };
extern const char *const	row_orders[ROW_ORDERS];

/*
 * The rows in an order, those that only want (a text that stands in any column; "" for all)
 * into out, room for FLOWTABLE_MAX of them.  Returns how many.
 */
size_t		 flowtable_list(const struct flowtable *, enum row_order, const char *want,
		    const struct row **out);

/* "1.2M" of a number of bytes; at most 6 characters. */
#define SIZE_LEN	24
const char	*size_text(double bytes, char buf[SIZE_LEN]);

#endif
