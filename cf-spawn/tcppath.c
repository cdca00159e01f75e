/*
 * tcppath.c - which way a run's TCP goes, and who is told.
 *
 * The child tries (kpath.c) and reports; cf-netstack gets one LISTEN for each family that goes by
 * the kernel, before the TUN.  A family without one is cf-netstack's own TCP.  The user sees
 * it with -v, in --status-fd and in the summary; nothing else differs.
 *
 * A captured run uses own TCP: there every packet passes cf-netstack, which waits for
 * cf-capture where it must.  A packet socket on lo would drop what it has no room for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include "chan.h"
#include "childnet.h"
#include "log.h"
#include "spawn.h"

bool
tcp_path_wanted(const struct conf *conf)
{
	return conf->tcp_path == TCP_PATH_KERNEL ||
	    (conf->tcp_path == TCP_PATH_AUTO && conf->capture_file == NULL &&
	    conf->pipes.capture == NULL);
}

void
tcp_path_listener(struct tcp_choice *t, struct chan *control, unsigned family, int fd)
{
	uint8_t body[MSG_LISTEN_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_listen_put(&w, &(struct msg_listen){ .family = (uint8_t)family, .port = KPATH_PORT });
	chan_send(control, MSG_LISTEN, 0, body, sizeof(body), NULL, 0, fd);
	t->families++;
}

void
tcp_path_decided(struct tcp_choice *t, const struct conf *conf, const char *why)
{
	if (why[0] == '\0' && t->families == 0)
		why = conf->tcp_path == TCP_PATH_TUN ? "--tcp-path tun" :
		    "--capture sees all of it";
	snprintf(t->why, sizeof(t->why), "%s", why);
	t->name = t->families == 0 ? "tun" : why[0] == '\0' ? "kernel" : "mixed";
	if (t->families == 0)
		log_info("TCP: own stack (%s)", t->why);
	else if (why[0] == '\0')
		log_info("TCP: kernel path");
	else
		log_info("TCP: kernel path, own stack for the other family (%s)", t->why);
}
