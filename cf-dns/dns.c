/*
 * dns.c - the life of cf-dns: channels, loop, and what ends it.
 *
 * cf-netstack is the client: it sends QUERY and gets ANSWER.  The dialler is the server:
 * it gets OPEN and sends sockets; or another cf-dns is, which answers (far.c); so is cf-proxy's policy stage, where it wants to know of names.
 * HELLO to the client waits for theirs, as it promises that names can be resolved.  cf-spawn may
 * hold one more (control.c).  The end of any channel is the end of cf-dns; what does not fit the
 * protocol ends it with one line and status 1.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "cache.h"
#include "chan_uv.h"
#include "denial.h"
#include "dns.h"
#include "event.h"
#include "log.h"
#include "rulesfd.h"

const struct sandbox_row *const dns_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan_plain, flow_rows, learn_rows, rulesfd_rows,
	far_rows, NULL
};
const struct sandbox_role dns_role = {
	.name = "cf-dns", .does = "answers the tree's queries, asks resolvers",
	.tables = dns_sandbox, .leaves = SANDBOX_NO_NET,
};

/* Is a program of the user's behind us?  It may still say something when all is over. */
static bool
is_piped(const struct chan *source)
{
	return chan_peer(source) != 0 && (chan_caps(source) & MSG_CAP_FD) == 0;
}

static void
on_end(struct chan *c, const char *why)
{
	struct dns *dns = chan_arg(c);

	if (why != NULL) {
		log_warnx("%s sent garbage: %s", role_name(c == dns->stack ? R_STACK :
		    c == dns->far ? R_DNS : c == dns->names ? R_PROXY : c == dns->dial ? R_DIAL : R_SPAWN), why);
		dns->status = 1;
	}
	if (c == dns->stack && why == NULL && is_piped(dns->far != NULL ? dns->far : dns->dial))
		chan_uv_leave(dns->source_uv);	/* and then we are called for that */
	else
		uv_stop(&dns->loop);
}

/* The servers are ready, so we are: the client may ask from now on. */
static void
ready(struct dns *dns)
{
	if (chan_peer(dns->dial != NULL ? dns->dial : dns->far) == 0 || (dns->names != NULL && chan_peer(dns->names) == 0))
		return;
	chan_handlers(dns->stack, query_handlers);
	chan_hello(dns->stack, 0);
}

static void
on_names_hello(struct chan *c)
{
	chan_handlers(c, alias_handlers);
	ready(chan_arg(c));
}

static void
on_dial_hello(struct chan *c)
{
	struct dns *dns = chan_arg(c);

	log_debug("the dialler is ready; sockets come %s",
	    (chan_caps(c) & MSG_CAP_FD) ? "as descriptors" : "as frames");
	chan_handlers(c, flow_handlers);
	ready(dns);
}

static void
on_far_hello(struct chan *c)
{
	chan_handlers(c, far_handlers);
	ready(chan_arg(c));
}

static struct chan *
channel(struct dns *dns, int rfd, int wfd, enum role peer, struct chan_uv **uv)
{
	struct chan *c = chan_new(rfd, wfd, peer == R_DNS ? R_STACK : R_DNS, (uint32_t)peer, dns);

	if (c == NULL || (*uv = chan_uv_start(&dns->loop, c, on_end)) == NULL)
		fatal("cannot use the channel to %s", role_name(peer));
	return c;
}

static void
names_open(struct dns *dns, int fd)
{
	struct chan_uv *uv;

	dns->names = channel(dns, fd, fd, R_PROXY, &uv);
	chan_on_hello(dns->names, on_names_hello);
}

/* What an answer makes visible is written down, and told to the policy stage, before it. */
static void
before_answers(struct chan *stack)
{
	const struct dns *dns = chan_arg(stack);

	event_flush();
	if (dns->names != NULL)
		learn_before_answers(stack);
}

static void
before_queries(struct chan *source)
{
	(void)source;
	event_flush();
}

static void
on_sleep(uv_prepare_t *h)
{
	(void)h;
	event_flush();
}

/* Whom answers come from. */
static void
source_open(struct dns *dns, const struct dns_fds *fds)
{
	if (fds->far != -1) {
		dns->far = channel(dns, fds->far, fds->far, R_DNS, &dns->source_uv);
		chan_on_hello(dns->far, on_far_hello);
	} else {
		dns->dial = channel(dns, fds->dial, fds->dial, R_DIAL, &dns->source_uv);
		chan_on_hello(dns->dial, on_dial_hello);
	}
}

void
dns_open(struct dns *dns, const struct dns_fds *fds)
{
	struct chan_uv *uv;
	int rc;

	if ((rc = uv_loop_init(&dns->loop)) != 0)
		fatalx("cannot make an event loop: %s", uv_strerror(rc));
	event_gather();
	uv_prepare_init(&dns->loop, &dns->sleep);
	uv_prepare_start(&dns->sleep, on_sleep);
	uv_unref((uv_handle_t *)&dns->sleep);
	if ((rc = ares_library_init(ARES_LIB_INIT_ALL)) != ARES_SUCCESS)
		fatalx("cannot set up c-ares: %s", ares_strerror(rc));
	/* What is started last is flushed first: an ANSWER leaves before the CLOSE after it. */
	source_open(dns, fds);
	chan_uv_before_flush(dns->source_uv, before_queries);
	dns->stack = channel(dns, fds->r, fds->w, R_STACK, &uv);
	chan_uv_before_flush(uv, before_answers);
	if (fds->names != -1)
		names_open(dns, fds->names);
	if (fds->control != -1) {
		dns->control = channel(dns, fds->control, fds->control, R_SPAWN, &uv);
		chan_handlers(dns->control, control_handlers);
	}
	flow_init(dns);
	upstream_init(dns);
	transfer_init(dns);
	query_init(dns);
	if (dns->cache_entries > 0 && (dns->cache = cache_new(dns->cache_entries)) == NULL)
		fatal("cannot make a cache for %zu answers", dns->cache_entries);
}

int
dns_run(struct dns *dns)
{
	if (dns->dial != NULL)
		chan_hello(dns->dial, MSG_CAP_FD);
	else
		chan_hello(dns->far, 0);
	if (dns->names != NULL)
		chan_hello(dns->names, 0);
	if (dns->control != NULL)
		chan_hello(dns->control, MSG_CAP_FD);
	uv_run(&dns->loop, UV_RUN_DEFAULT);
	event_flush();
	denial_end();
	return dns->status;
}
