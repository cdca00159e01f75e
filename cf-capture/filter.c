/*
 * filter.c - see filter.h.
 *
 * libpcap compiles the expression to a BPF program and runs it here, in this process; nothing
 * is loaded into the kernel, so a frame from a channel is filtered in the same way as a packet
 * of an interface.
 *
 * SPDX-License-Identifier: MIT
 */
#include "filter.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#define SNAPLEN	262144		/* packets are at most so long */

struct filter {
	struct bpf_program program;
};

struct filter *
filter_new(const char *expression, int dlt, char why[FILTER_WHY_LEN])
{
	struct filter *f = calloc(1, sizeof(*f));
	pcap_t *p = pcap_open_dead_with_tstamp_precision(dlt, SNAPLEN, PCAP_TSTAMP_PRECISION_NANO);

	if (f == NULL || p == NULL) {
		snprintf(why, FILTER_WHY_LEN, "out of memory");
	} else if (pcap_compile(p, &f->program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		snprintf(why, FILTER_WHY_LEN, "%s", pcap_geterr(p));
	} else {
		pcap_close(p);
		return f;
	}
	free(f);
	if (p != NULL)
		pcap_close(p);
	return NULL;
}

void
filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	pcap_freecode(&f->program);
	free(f);
}

bool
filter_match(const struct filter *f, const uint8_t *packet, size_t len, uint32_t orig_len)
{
	const struct pcap_pkthdr head = { .caplen = (bpf_u_int32)len, .len = orig_len };

	return pcap_offline_filter(&f->program, &head, packet) != 0;
}
