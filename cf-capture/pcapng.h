/*
 * pcapng.h - blocks of a pcapng file (draft-ietf-opsawg-pcapng), as bytes.
 *
 * Pure: structs in, bytes out, one whole block a call.  A block that does not fit sets
 * the writer's `bad` and must be thrown away.  Integers are in this machine's order,
 * which the section header tells the reader.  Only what cf-capture writes is here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PCAPNG_H
#define CF_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rd.h"

#define PCAPNG_TEXT_MAX		1024	/* longer texts of options are cut */
#define PCAPNG_PACKET_EXTRA	(PCAPNG_TEXT_MAX + 128)	/* room around a packet's bytes in its block */

/* Who recorded.  A text that is NULL is left out, here and below. */
struct pcapng_section {
	const char	*hardware, *os, *application, *comment;
};

struct pcapng_interface {
	uint16_t	 linktype;
	uint32_t	 snaplen;	/* 0: no limit */
	const char	*name;		/* UTF-8 */
	const char	*description, *comment;
	const char	*filter;	/* in libpcap's words */
	const char	*os, *hardware;
};

struct pcapng_packet {
	uint32_t	 interface;	/* number in the order of their blocks */
	uint64_t	 time;		/* ns since 1970 */
	uint32_t	 orig_len;
	uint32_t	 flags;		/* epb_flags: 1 inbound, 2 outbound */
	uint64_t	 dropped;	/* packets since the last one that are not here */
	const char	*comment;
	bool		 has_process;
	uint32_t	 process;	/* number in the order of their blocks */
	uint32_t	 flow;		/* with it */
	const uint8_t	*data;
	size_t		 len;
};

struct pcapng_statistics {
	uint32_t	 interface;
	uint64_t	 start, end;	/* ns since 1970 */
	uint64_t	 received;	/* packets */
	uint64_t	 dropped;	/* of them, by who recorded */
	uint64_t	 accepted;	/* by the filter */
};

/*
 * Who sent or got packets.  The format has no such block; this one is Apple's, which Wireshark
 * shows and others skip.
 */
struct pcapng_process {
	uint32_t	 pid;
	const char	*name;
};

/* An address and its name. */
struct pcapng_name {
	const uint8_t	*ip;
	size_t		 iplen;		/* 4 or 16 */
	const char	*name;
};

#define PCAPNG_SECRETS_TLS	0x544c534bu	/* lines of an SSLKEYLOGFILE */

void	pcapng_section_put(struct wr *, const struct pcapng_section *);
void	pcapng_interface_put(struct wr *, const struct pcapng_interface *);
void	pcapng_packet_put(struct wr *, const struct pcapng_packet *);
void	pcapng_name_put(struct wr *, const struct pcapng_name *);
void	pcapng_process_put(struct wr *, const struct pcapng_process *);
void	pcapng_secrets_put(struct wr *, uint32_t type, const void *, size_t len);
void	pcapng_statistics_put(struct wr *, const struct pcapng_statistics *);

#endif
